"""Measures seconds by phase: every second belongs to one.

A phase that begins within another one stops that one's clock. Torch is not imported.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trainer.runs.phase_times import OTHER

DATA, ROLLOUT, SYNC, REWARD = "data", "rollout", "weight_sync", "reward"
NO_GRADIENT, POLICY, BACKWARD = "reference", "policy", "backward"
OPTIMIZER, SAVING = "optimizer", "saving"


class PhaseClock:
    """Adds up seconds by phase.

    Args:
        now: Returns seconds; by default once the device has done what it was given.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or device_time
        self._open: list[str] = []
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._since = self._now()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge the time of the block to a phase, but for phases within it."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def begin(self, name: str) -> None:
        """Begin a phase; the one that runs stops until `end`."""
        self._charge()
        self._open.append(name)

    def end(self) -> None:
        """End the phase that was begun last."""
        self._charge()
        self._open.pop()

    def finish_update(self) -> dict[str, float]:
        """Return the seconds by phase since the last call; those of no phase are `OTHER`'s."""
        self._charge()
        found = dict(self._seconds)
        self._seconds.clear()
        return found

    def _charge(self) -> None:
        now = self._now()
        self._seconds[self._open[-1] if self._open else OTHER] += now - self._since
        self._since = now


def device_time() -> float:
    """Return the time in seconds once the device has done what it was given."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
