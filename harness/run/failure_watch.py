"""Ends a run that meets the same failure at every item, or more failures than it may have.

Until a server has given its first answer, only as many questions are asked and videos decoded as
may fail alike, so that a fault of the settings costs these and no others.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from harness.errors import TooManyFailuresError
from harness.run.config import STOP_AFTER_FAILURES, FailureBudget
from harness.schema import Failure, Record
from harness.server.errors import BrokenConnectionError, RateLimitError, ServerFaultError

_PATIENCE = 5
"""How many times as many failures are waited for where smaller requests may do better."""
OF_THE_SERVER = frozenset(
    kind.__name__ for kind in (BrokenConnectionError, RateLimitError, ServerFaultError)
)
"""Failures that end the run also after good answers, if nothing else comes any more."""
_NAMES = re.compile(r"\S*[/\\]\S*|[\w.-]*\d[\w.-]*")
"""Paths, numbers and ids, in which messages about one fault differ."""
_ATTEMPTS = re.compile(r" \(\d+ attempts\)")
"""What the client adds to the message of a request that it has sent again."""
_TOO_LARGE = re.compile(
    r"context (?:length|window|size)|too (?:long|large|many tokens)|out of memory|HTTP 413"
    r"|exceeds? .*(?:length|tokens|limit)|(?:max\w*|longer) .*(?:length|tokens)",
    re.IGNORECASE,
)
"""The largest videos come first, so that such failures say nothing of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimits:
    """How many failures end a run before all of its items are asked."""

    stop_after: int = STOP_AFTER_FAILURES
    """Equal failures in a row from the start; 0: never."""
    budget: FailureBudget | None = None
    """Failed items that the run may have; None: it is judged at its end only."""


class FailureWatch:
    """Counts failures, and lets only few questions be asked before the first answer.

    Args:
        limits: What ends the run.
        items: Number of items of the whole run.
        answered: Whether the run has answers already. Then only failures of the server itself end
            it, twice as many.
        careful: Whether to ask and decode little before the first answer.
    """

    def __init__(
        self, limits: FailureLimits, *, items: int, answered: bool, careful: bool = False
    ) -> None:
        self._limits = limits
        self._items = items
        self._answered = answered
        self._careful = careful and limits.stop_after > 0
        self._changed = threading.Condition()
        self._ended = False
        self._last: tuple[str, str, str] | None = None
        self._alike = 0
        self._failed = self._noted = 0
        self._asked = self._replied = 0
        self._decoding = 0
        self._settled: set[Hashable] = set()

    def may_ask(self) -> bool:
        """Count a question that is to be asked, once it may be; return False if the run ends."""
        return self._admit(self._has_room_to_ask, "_asked")

    def may_decode(self) -> bool:
        """Count a video that is to be decoded, once it may be; return False if the run ends."""
        return self._admit(self._has_room_to_decode, "_decoding")

    def note(self, record: Record, media: Hashable) -> None:
        """Note a finished item.

        Args:
            record: The item.
            media: What was decoded for it; a video that cannot be decoded counts once, however
                many questions it has.

        Raises:
            TooManyFailuresError: Failures agree from the start, or the budget cannot be kept.
        """
        failure = record.failure
        with self._changed:
            again = media is not None and media in self._settled
            self._settled |= set() if media is None else {media}
            self._noted += 1
            self._replied += failure is None or failure.stage not in ("media", "prompt")
            self._failed += failure is not None
            if failure is None:
                self._answered, self._last, self._alike = True, None, 0
            elif not (failure.stage == "media" and again):
                self._count(failure)
            self._changed.notify_all()
            if failure is not None:
                self._judge(failure)

    def end(self) -> None:
        """Let everything that waits go on, in vain: the run ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _admit(self, has_room: Callable[[], bool], counter: str) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or has_room())
            setattr(self, counter, getattr(self, counter) + 1)
            return not self._ended

    def _has_room_to_ask(self) -> bool:
        return self._is_open() or self._asked - self._replied < self._room()

    def _has_room_to_decode(self) -> bool:
        return self._is_open() or self._decoding - len(self._settled) < self._room()

    def _is_open(self) -> bool:
        return self._answered or not self._careful

    def _room(self) -> int:
        """Return how many more may be under way before the first answer."""
        return min(self._limits.stop_after, self._needed() - self._alike)

    def _needed(self) -> int:
        """Return how many equal failures in a row end the run."""
        message = self._last[2] if self._last is not None else ""
        times = 2 if self._answered else _PATIENCE if _TOO_LARGE.search(message) else 1
        return times * self._limits.stop_after

    def _count(self, failure: Failure) -> None:
        message = _NAMES.sub("…", _ATTEMPTS.sub("", failure.message))
        kind = (failure.stage, failure.error, message)
        self._alike = self._alike + 1 if kind == self._last else 1
        self._last = kind

    def _judge(self, failure: Failure) -> None:
        cause = f"{failure.stage}: {failure.error}: {failure.message}"
        systematic = not self._answered or failure.error in OF_THE_SERVER
        if self._limits.stop_after and systematic and self._alike >= self._needed():
            self._ended = True
            raise TooManyFailuresError(
                f"stopped after {self._alike} equal failures in a row: {cause}"
            )
        budget = self._limits.budget
        if budget is not None and not budget.allows(self._failed, self._items):
            self._ended = True
            raise TooManyFailuresError(
                f"stopped: {self._failed} of {self._noted} items failed, more than --max-failures"
                f" {budget} allows in a run of {self._items}; the last one: {cause}"
            )
