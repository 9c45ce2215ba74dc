"""What engines share: requests arrive lazily, and one request's error stays its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from queue import Empty, Full, Queue

from harness.schema import Failure, Request

POLL_S = 0.1


def failure(error: Exception) -> Failure:
    """Describe why one request has no text."""
    return Failure(stage="generate", error=type(error).__name__, message=str(error))


class Feed:
    """Reads requests on a thread, so that an engine never waits for media to be decoded.

    At most `ahead` requests are read before they are taken: their frames are what fills memory.
    """

    def __init__(self, requests: Iterable[Request], *, ahead: int = 2) -> None:
        self._queue: Queue[Request | None] = Queue(maxsize=ahead)
        self._closed = threading.Event()
        self._error: Exception | None = None
        self.exhausted = False
        """Nothing will be taken any more."""
        self._thread = threading.Thread(
            target=self._read, args=(requests,), name="request-feed", daemon=True
        )
        self._thread.start()

    def take(self, *, wait: bool) -> Request | None:
        """Take the next request; None when there is none now, or none any more.

        An error of the iterable is raised once everything read before it has been taken.
        """
        if self.exhausted:
            return None
        try:
            request = self._queue.get(block=wait)
        except Empty:
            return None
        if request is None:
            self.exhausted = True
            if self._error is not None:
                raise self._error
        return request

    def close(self) -> None:
        """Stop reading; a read under way ends by itself."""
        self._closed.set()

    def join(self) -> None:
        """Wait until nothing reads any more."""
        self._thread.join()

    def _read(self, requests: Iterable[Request]) -> None:
        try:
            for request in requests:
                if not self._put(request):
                    return
        except Exception as error:  # noqa: BLE001 - handed to the thread that takes
            self._error = error
        self._put(None)

    def _put(self, request: Request | None) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(request, timeout=POLL_S)
            except Full:
                continue
            return True
        return False
