"""Whether a training is still at work, as far as its folder shows.

Two signs of life count: a process holds the folder, or something in it was written since the last
look. The second is for a lock that cannot be seen, as of a training on another machine whose folder
is shared or copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.files import is_locked
from trainer.runs.folder import MANIFEST


class Pulse:
    """Feels for signs of life of a training.

    Args:
        run: Its folder; need not exist yet.
        patience_s: How long it may show none. A restart takes that long to become visible: weights
            are hashed and packages imported before the folder is held.
        clock: Seconds that only grow.
    """

    def __init__(
        self, run: Path, patience_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._patience_s = patience_s
        self._clock = clock
        self._alive_at = clock()
        self._written: int | None = None

    def is_gone(self) -> bool:
        """Tell whether the training has begun and shown no sign of life for `patience_s`.

        A folder without a manifest is that of a training that has not begun, or of one that is not
        ours and holds no folder: nobody knows whether it runs.
        """
        written = _last_write(self._run)
        silent = written == self._written and not is_locked(self._run)
        self._written = written
        if not silent or not (self._run / MANIFEST).exists():
            self._alive_at = self._clock()
        return self._clock() - self._alive_at >= self._patience_s


def _last_write(folder: Path) -> int | None:
    """Return when something in a folder was last written, None where that cannot be told."""
    try:
        return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=None)
    except FileNotFoundError:  # the folder is not there yet, or a checkpoint is being rotated away
        return None
