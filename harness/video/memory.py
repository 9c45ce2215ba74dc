"""Bounds the memory for decoded frames: a job waits until its frames fit in the budget."""

from __future__ import annotations

import threading

from harness.video.jobs import DecodeJob


class MemoryBudget:
    """The bytes that jobs hold; a job that does not fit waits until others are released."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: dict[DecodeJob, int] = {}
        self._closed = False
        self._changed = threading.Condition()
        self.peak = 0
        """The most bytes that were held at one time."""

    def reserve(self, job: DecodeJob) -> bool:
        """Wait until `job.max_bytes` fit, or nothing else is held; False if closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fits(job.max_bytes))
            self._hold(job, job.max_bytes)
            return not self._closed

    def resize(self, job: DecodeJob, size: int) -> None:
        """Replace the bytes reserved for a job by `size`, the bytes that its frames take."""
        with self._changed:
            self._hold(job, size)

    def release(self, job: DecodeJob) -> None:
        """Free the bytes of a job; does nothing for a job that holds none."""
        with self._changed:
            self._held.pop(job, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Wake every thread that waits in `reserve`, which then returns False."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Release all jobs and accept new ones, also after `close`."""
        with self._changed:
            self._held.clear()
            self._closed = False

    def _fits(self, size: int) -> bool:
        return not self._held or sum(self._held.values()) + size <= self._max_bytes

    def _hold(self, job: DecodeJob, size: int) -> None:
        self._held[job] = size
        self.peak = max(self.peak, sum(self._held.values()))
        self._changed.notify_all()
