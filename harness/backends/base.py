"""The seam to every engine: lazy requests in, answers out in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from harness.schema import Completion, Failure, Request

Answer = tuple[Request, Completion | Failure]


class Backend(Protocol):
    """An engine. One that cannot start raises `BackendError` when it is built."""

    name: str

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer every request once, in any order.

        `requests` is consumed lazily, possibly from another thread; it may block while media are
        decoded. A request that cannot be answered yields a `Failure`; the others go on.
        """

    def close(self) -> None:
        """Free the engine; called once."""
