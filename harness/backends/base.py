"""Defines the backend interface: requests are taken lazily, answers come in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.schema import Completion, Failure, Request

Answer = tuple[Request, Completion | Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """How an engine has spent its time since it was built; None for what it does not measure."""

    preprocess_s: float | None = None
    """Seconds of making model inputs from prompts and frames; may overlap the other times."""
    idle_s: float | None = None
    """Seconds in which the engine waited for a request."""
    vision_s: float | None = None
    """Seconds of encoding images and videos."""
    prefill_s: float | None = None
    """Seconds of steps that process prompts, without `vision_s`."""
    generate_s: float | None = None
    """Seconds of steps that only generate."""
    vision_encodings: int | None = None
    """Number of images and videos that the vision encoder processed."""
    cached_prompt_tokens: int | None = None
    """Number of prompt tokens whose keys and values came from the prefix cache."""


class Backend(Protocol):
    """An engine that answers requests; the constructor raises `BackendError` if it cannot start."""

    name: str

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer every request once, in any order.

        `requests` is consumed lazily, possibly from another thread. It blocks while media are
        decoded; where memory for frames is short, it blocks until earlier requests are answered.
        So an engine must not wait for a certain number of requests before it answers. A request
        that cannot be answered yields a `Failure`; the others continue.
        """

    def stats(self) -> EngineStats:
        """Return the times and counts so far; call it before `close`."""

    def close(self) -> None:
        """Free the engine; called once."""


@runtime_checkable
class CountsReading(Protocol):
    """A backend that tells how far it has read the requests that it took."""

    def requests_read(self) -> int:
        """Return how many requests it has begun to process since it was built, in their order.

        Those that it took and that still wait for their turn do not count. Another thread calls it.
        """
