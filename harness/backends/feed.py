"""Reads and prepares requests on a thread, while the engine works on earlier ones."""

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
    """Return the `Failure` of a request that raised an error."""
    return Failure(stage="generate", error=type(error).__name__, message=str(error))


class Feed(Generic[Prepared]):
    """Reads requests on a thread and prepares them there, in order.

    So an engine waits neither for decoding nor for the processing of prompts. At most `ahead`
    requests are prepared before they are taken.
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
        """True once every request was taken."""
        self.prepare_s = 0.0
        """Seconds spent on preparing requests so far."""
        self.idle_s = 0.0
        """Seconds for which `take` waited so far."""
        self._thread = threading.Thread(
            target=self._read_requests, args=(requests,), name="request-feed", daemon=True
        )
        self._thread.start()

    def take(self, *, wait_s: float | None) -> tuple[Request, Prepared | Failure] | None:
        """Return the next request with its prepared form, or with why preparing failed.

        An error of the iterable is raised here after all requests before it were taken.

        Args:
            wait_s: Seconds to wait for a request; None waits without limit.

        Returns:
            None if no request came in that time, or if all were taken.
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
        """Stop reading; a read that has begun ends by itself."""
        self._closed.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _read_requests(self, requests: Iterable[Request]) -> None:
        try:
            for request in requests:
                if not self._put_item((request, self._prepare_request(request))):
                    return
        except Exception as error:  # noqa: BLE001 - raised in the consuming thread
            self._error = error
        self._put_item(None)

    def _prepare_request(self, request: Request) -> Prepared | Failure:
        began = time.perf_counter()
        try:
            return self._prepare(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
            return failure(error)
        finally:
            self.prepare_s += time.perf_counter() - began

    def _put_item(self, item: tuple[Request, Prepared | Failure] | None) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
            except Full:
                continue
            return True
        return False
