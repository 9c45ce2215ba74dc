"""The seam to every engine: lazy requests in, answers out in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from harness.schema import Completion, Failure, Request

Answer = tuple[Request, Completion | Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """Where an engine's time went since it was built; None where it does not know."""

    preprocess_s: float | None = None
    """Making model inputs of prompts and frames; beside the engine's own work where it can."""
    idle_s: float | None = None
    """The engine had nothing to do and waited for a request."""
    vision_s: float | None = None
    """Encoding images and videos."""
    prefill_s: float | None = None
    """Steps that read prompts, without `vision_s`."""
    generate_s: float | None = None
    """Steps that only write."""
    vision_encodings: int | None = None
    """Images and videos that went through the vision encoder."""
    cached_prompt_tokens: int | None = None
    """Prompt tokens whose keys and values were there already."""


class Backend(Protocol):
    """An engine. One that cannot start raises `BackendError` when it is built."""

    name: str

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer every request once, in any order.

        `requests` is consumed lazily, possibly from another thread; it may block while media are
        decoded, and where memory for them is short, until requests taken before are answered. So
        an engine must not hold back answers until it has a certain number of requests. A request
        that cannot be answered yields a `Failure`; the others go on.
        """

    def stats(self) -> EngineStats:
        """Tell where the time went; the engine must not have been closed."""

    def close(self) -> None:
        """Free the engine; called once."""
