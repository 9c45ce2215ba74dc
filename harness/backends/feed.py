"""What engines share: requests arrive lazily and are prepared beside the engine's own work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

from harness.schema import Failure, Request

POLL_S = 0.1

Prepared = TypeVar("Prepared")


def failure(error: Exception) -> Failure:
    """Describe why one request has no text."""
    return Failure(stage="generate", error=type(error).__name__, message=str(error))


class Feed(Generic[Prepared]):
    """Reads requests on a thread and prepares them there, in the order they come.

    So an engine waits neither for media to be decoded nor for prompts to be processed. At most
    `ahead` requests are prepared before they are taken.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        prepare: Callable[[Request], Prepared],
        *,
        ahead: int = 2,
    ) -> None:
        self._prepare = prepare
        self._queue: Queue[tuple[Request, Prepared | Failure] | None] = Queue(maxsize=ahead)
        self._closed = threading.Event()
        self._error: Exception | None = None
        self.exhausted = False
        """Nothing will be taken any more."""
        self.prepare_s = 0.0
        """Seconds spent on preparing so far."""
        self.idle_s = 0.0
        """Seconds for which takers waited so far."""
        self._thread = threading.Thread(
            target=self._read, args=(requests,), name="request-feed", daemon=True
        )
        self._thread.start()

    def take(self, *, wait_s: float | None) -> tuple[Request, Prepared | Failure] | None:
        """Take the next request with what was made of it, or with why that failed.

        An error of the iterable is raised once everything read before it has been taken.

        Args:
            wait_s: Seconds to wait for one; None waits for as long as it takes.

        Returns:
            None when there is none within that time, or none any more.
        """
        if self.exhausted:
            return None
        began = time.perf_counter()
        try:
            item = self._queue.get(block=wait_s != 0, timeout=wait_s)
        except Empty:
            return None
        finally:
            self.idle_s += time.perf_counter() - began
        if item is None:
            self.exhausted = True
            if self._error is not None:
                raise self._error
        return item

    def close(self) -> None:
        """Stop reading; a read under way ends by itself."""
        self._closed.set()

    def join(self) -> None:
        """Wait until nothing reads any more."""
        self._thread.join()

    def _read(self, requests: Iterable[Request]) -> None:
        try:
            for request in requests:
                if not self._put((request, self._prepared(request))):
                    return
        except Exception as error:  # noqa: BLE001 - handed to the thread that takes
            self._error = error
        self._put(None)

    def _prepared(self, request: Request) -> Prepared | Failure:
        began = time.perf_counter()
        try:
            return self._prepare(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
            return failure(error)
        finally:
            self.prepare_s += time.perf_counter() - began

    def _put(self, item: tuple[Request, Prepared | Failure] | None) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
            except Full:
                continue
            return True
        return False
