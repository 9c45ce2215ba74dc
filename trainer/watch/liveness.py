"""Detect whether a training process is still running, from its folder.

A training is alive if a process holds the lock of its folder, or if something in the folder was
written since the last check. The second sign is for a lock that is not visible here, because the
training runs on another machine and its folder is shared or copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.files import is_locked
from trainer.runs.folder import MANIFEST


class Liveness:
    """Detects whether a training has stalled.

    Args:
        run: Folder of the training run; need not exist yet.
        stalled_after_s: Seconds without a sign of life after which a training counts as stalled. A
            restarted training needs some time before it locks its folder: it hashes weights and
            imports packages first.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self, run: Path, stalled_after_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._stalled_after_s = stalled_after_s
        self._clock = clock
        self._alive_at = clock()
        self._last_write: int | None = None

    def is_stalled(self) -> bool:
        """Return whether the training has started and given no sign of life for too long.

        A folder without a manifest belongs to a training that has not started, or to one that is
        not ours and locks no folder: its state is unknown, and the answer is False.
        """
        written = _last_write_ns(self._run)
        silent = written == self._last_write and not is_locked(self._run)
        self._last_write = written
        if not silent or not (self._run / MANIFEST).exists():
            self._alive_at = self._clock()
        return self._clock() - self._alive_at >= self._stalled_after_s


def _last_write_ns(folder: Path) -> int | None:
    """Return the latest modification time in a folder, None where it cannot be read."""
    try:
        return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=None)
    except FileNotFoundError:  # no folder yet, or a checkpoint was deleted at this moment
        return None
