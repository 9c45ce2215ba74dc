"""Tells which videos an engine has read, while it still generates answers about them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from harness.backends.base import Answer, Backend, CountsReading, EngineStats
from harness.schema import AnswerKey, Request

_POLL_S = 0.1


class ReadingBackend:
    """Passes requests to an engine and tells of each video that the engine has read.

    An engine that counts what it has read (`CountsReading`) is asked ten times a second. For others
    a request is read as soon as it is taken: they take no more than they work on.

    Args:
        backend: The engine.
        on_read: Receives the first request about a video that is read; called from other threads.
    """

    def __init__(self, backend: Backend, on_read: Callable[[AnswerKey], None]) -> None:
        self.name = backend.name
        self._backend = backend
        self._on_read = on_read
        self._counter = backend if isinstance(backend, CountsReading) else None
        self._before = self._count()
        self._taken: list[AnswerKey | None] = []
        """For each request its key, or None where it asks about the same video as the last one."""
        self._told = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer every request once, as the engine does."""
        ended = threading.Event()
        poll = threading.Thread(target=self._poll, args=(ended,), name="reading", daemon=True)
        poll.start()
        try:
            yield from self._backend.generate(self._take(requests))
        finally:
            ended.set()
            poll.join()

    def stats(self) -> EngineStats:
        """Return the engine's times and counts."""
        return self._backend.stats()

    def close(self) -> None:
        """Close the engine."""
        self._backend.close()

    def _take(self, requests: Iterable[Request]) -> Iterator[Request]:
        last: tuple[str, ...] = ()
        for request in requests:
            video = tuple(clip.key for clip in request.clips)
            self._taken.append(None if video and video == last else request.key)
            last = video
            if self._counter is None:
                self._tell(len(self._taken))
            yield request

    def _poll(self, ended: threading.Event) -> None:
        while self._counter is not None and not ended.wait(_POLL_S):
            self._tell(self._count() - self._before)

    def _count(self) -> int:
        return 0 if self._counter is None else self._counter.requests_read()

    def _tell(self, read: int) -> None:
        """Tell of the first `read` requests those that have not been told of."""
        for key in self._taken[self._told : read]:
            if key is not None:
                self._on_read(key)
        self._told = max(self._told, min(read, len(self._taken)))
