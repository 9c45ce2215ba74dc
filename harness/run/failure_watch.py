"""Ends a run that meets the same failure at every request."""

from __future__ import annotations

import re

from harness.errors import BackendError
from harness.schema import Completion, Failure
from harness.server.errors import BrokenConnectionError, RateLimitError, ServerFaultError

LIMIT = 20
_PATIENCE = 5
"""How many times as many failures are waited for where smaller requests may do better."""
_OF_THE_SERVER = frozenset(
    kind.__name__ for kind in (BrokenConnectionError, RateLimitError, ServerFaultError)
)
"""Failures that end the run also after good answers, if nothing else comes any more."""
_NUMBER = re.compile(r"\d+")
_TOO_LARGE = re.compile(r"context|too (?:long|large)|length|token|memory|HTTP 413", re.IGNORECASE)
"""The largest videos come first, so that such failures say nothing of the others."""


class FailureWatch:
    """Counts equal failures in a row.

    Args:
        answered: Whether the run has answers already. Then only failures of the server itself end
            it, twice as many.
        limit: That many equal failures end a run that has no answer.
    """

    def __init__(self, *, answered: bool, limit: int = LIMIT) -> None:
        self._limit = limit
        self._answered = answered
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
        if self._answered and answer.error not in _OF_THE_SERVER:
            return
        times = 2 if self._answered else _PATIENCE if _TOO_LARGE.search(answer.message) else 1
        if self._count >= times * self._limit:
            raise BackendError(
                f"stopped after {self._count} equal failures in a row:"
                f" {answer.error}: {answer.message}"
            )
