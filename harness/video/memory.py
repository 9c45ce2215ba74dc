"""The bound on memory for frames: jobs wait until there is room for theirs."""

from __future__ import annotations

import threading

from harness.video.jobs import DecodeJob


class Room:
    """The bytes that jobs hold, and the waiting until there is room for another."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: dict[DecodeJob, int] = {}
        self._closed = False
        self._changed = threading.Condition()
        self.peak = 0

    def reserve(self, job: DecodeJob) -> bool:
        """Wait until the job fits, or nothing else is held; False when the room was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fits(job.max_bytes))
            self._hold(job, job.max_bytes)
            return not self._closed

    def shrink(self, job: DecodeJob, size: int) -> None:
        """Put what a job really takes in the place of what was reserved for it."""
        with self._changed:
            self._hold(job, size)

    def give_back(self, job: DecodeJob) -> None:
        """Forget a job; one that holds nothing is no error."""
        with self._changed:
            self._held.pop(job, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Begin anew, with nothing held."""
        with self._changed:
            self._held.clear()
            self._closed = False

    def _fits(self, size: int) -> bool:
        return not self._held or sum(self._held.values()) + size <= self._max_bytes

    def _hold(self, job: DecodeJob, size: int) -> None:
        self._held[job] = size
        self.peak = max(self.peak, sum(self._held.values()))
        self._changed.notify_all()
