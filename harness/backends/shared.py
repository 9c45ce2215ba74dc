"""Hands the requests of one iterator to several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from harness.schema import Request


class SharedRequests:
    """An iterator that several threads take from; it knows how many requests are with them."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._iterator = iter(requests)
        self._taking = threading.Lock()
        self._counting = threading.Lock()
        self._closed = False
        self._pending = 0

    @property
    def pending(self) -> int:
        """How many requests are taken and not given back; only falls once this is closed."""
        with self._counting:
            return self._pending

    def take(self) -> Request | None:
        """Return the next request, which may take long; None at the end or once closed."""
        with self._taking:
            request = None if self._closed else next(self._iterator, None)
        with self._counting:
            if request is None or self._closed:
                return None
            self._pending += 1
            return request

    def give_back(self) -> None:
        """Count a request as finished."""
        with self._counting:
            self._pending -= 1

    def close(self) -> None:
        """Hand out nothing more, also to threads that are waiting for a request."""
        with self._counting:
            self._closed = True
