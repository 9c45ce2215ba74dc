"""Ends a run that meets the same failure at every request."""

from __future__ import annotations

import re

from harness.errors import BackendError
from harness.schema import Completion, Failure
from harness.server.errors import BrokenConnectionError, RateLimitError, ServerFaultError

_OF_THE_SERVER = frozenset(
    kind.__name__ for kind in (BrokenConnectionError, RateLimitError, ServerFaultError)
)
"""Failures that end the run also after good answers, if nothing else comes any more."""
_NUMBER = re.compile(r"\d+")


class FailureWatch:
    """Counts equal failures in a row.

    Args:
        limit: That many end the run where no request was answered before; twice as many where some
            were, and the failures are the server's rather than the questions'.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answered = False
        self._last: tuple[str, str] | None = None
        self._count = 0

    def note(self, answer: Completion | Failure) -> None:
        """Note the next answer; raise `BackendError` where all agree in the same failure."""
        if isinstance(answer, Completion):
            self._answered, self._last, self._count = True, None, 0
            return
        # Messages about one fault differ in sizes and times at most.
        kind = (answer.error, _NUMBER.sub("0", answer.message))
        self._count = self._count + 1 if kind == self._last else 1
        self._last = kind
        if self._count < self._limit * (2 if self._answered else 1):
            return
        if not self._answered or answer.error in _OF_THE_SERVER:
            raise BackendError(
                f"stopped after {self._count} equal failures in a row:"
                f" {answer.error}: {answer.message}"
            )
