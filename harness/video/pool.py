"""Decoding ahead of the consumer, in worker processes, within a bound on memory.

One thread drives each worker, so waiting for one file never holds up another. A file that hangs or
crashes its worker costs only the job it belongs to. Frames count against the bound from the moment
their decoding begins until the consumer releases them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from harness.schema import Clip, Failure
from harness.video.decode import decode
from harness.video.jobs import DecodeJob
from harness.video.memory import MemoryBudget
from harness.video.worker import Decoder, Worker

Decoded = tuple[DecodeJob, tuple[Clip, ...] | Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCounts:
    """What a pool has done so far."""

    workers: int
    decodes: int
    """Files decoded, or tried."""
    cache_hits: int
    """Files whose frames came from the frame cache."""
    busy_s: float
    """Seconds in which workers had a file, summed over workers."""
    peak_bytes: int
    """The most bytes of frames that were ever held or reserved for decoding."""


class DecodePool:
    """Worker processes that decode jobs; a context manager.

    Args:
        workers: Processes, started when first needed.
        timeout_s: Seconds that one file may take before its worker is killed.
        max_bytes: Bound on the frames that are being decoded or not released yet. A job that
            exceeds it alone is decoded alone.
        decoder: What decodes one file; an importable function, since workers import it.
    """

    def __init__(
        self, *, workers: int, timeout_s: float, max_bytes: int, decoder: Decoder = decode
    ) -> None:
        self._workers = [Worker(decoder, timeout_s=timeout_s) for _ in range(workers)]
        self._budget = MemoryBudget(max_bytes)
        self._run: _Run | None = None

    @property
    def counts(self) -> DecodeCounts:
        """What was done so far."""
        return DecodeCounts(
            workers=len(self._workers),
            decodes=sum(worker.decodes for worker in self._workers),
            cache_hits=sum(worker.cache_hits for worker in self._workers),
            busy_s=sum(worker.busy_s for worker in self._workers),
            peak_bytes=self._budget.peak,
        )

    def decode(self, jobs: Iterable[DecodeJob]) -> Iterator[Decoded]:
        """Yield each job with its clips, or with the failure of its first bad file.

        Decoding begins with the call, before the first result is asked for. Results come in
        completion order. `jobs` is pulled lazily, from other threads but by one at a time; what it
        raises is raised here. The clips of a job hold their memory until it is given to `release`.
        A call ends the one before it.

        Raises:
            HarnessError: A worker process cannot be started.
        """
        self._halt()
        self._budget.clear()
        self._run = _Run(jobs, self._workers, self._budget)
        self._run.start()
        return self._run.results()

    def release(self, job: DecodeJob) -> None:
        """Give back the memory of a job whose clips are needed no more."""
        self._budget.release(job)

    def close(self) -> None:
        """End the workers; a `decode` that is under way is abandoned."""
        self._halt()
        for worker in self._workers:
            worker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _halt(self) -> None:
        if self._run is not None:
            self._run.halt()
            self._run = None


class _Run:
    """One call of `DecodePool.decode`: the jobs and the threads that drive the workers."""

    def __init__(
        self, jobs: Iterable[DecodeJob], workers: list[Worker], budget: MemoryBudget
    ) -> None:
        self._jobs = iter(jobs)
        self._workers = workers
        self._budget = budget
        self._halted = False
        self._pulling = threading.Lock()
        self._done: queue.SimpleQueue[Decoded | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._drive, args=(worker,), daemon=True) for worker in workers
        ]

    def start(self) -> None:
        """Begin to decode."""
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Decoded]:
        """Yield what the threads deliver."""
        running = len(self._threads)
        try:
            while running:
                item = self._done.get()
                if item is None:
                    running -= 1
                elif isinstance(item, BaseException):
                    raise item  # no `halt` here: another thread may be waiting for the next job
                else:
                    yield item
        except GeneratorExit:
            self.halt()
            raise

    def halt(self) -> None:
        """Stop the threads; a worker that is busy then is killed."""
        self._halted = True
        self._budget.close()
        for thread, worker in zip(self._threads, self._workers, strict=True):
            while thread.is_alive():
                worker.kill()
                thread.join(0.05)  # the thread may just be about to start a process

    def _drive(self, worker: Worker) -> None:
        """Feed one worker; runs in its own thread."""
        try:
            while (job := self._next_job()) is not None:
                result = _decode(worker, job)
                if isinstance(result, Failure):
                    self._budget.release(job)
                else:
                    self._budget.resize(job, sum(clip.frames.nbytes for clip in result))
                self._done.put((job, result))
            self._done.put(None)
        except BaseException as error:  # noqa: BLE001  (it is raised in the consumer's thread)
            self._done.put(error)

    def _next_job(self) -> DecodeJob | None:
        """Pull a job and wait until its frames fit in the memory budget."""
        with self._pulling:  # so that at most one pulled job waits
            job = None if self._halted else next(self._jobs, None)
            if job is None or not self._budget.reserve(job):
                return None
            return job


def _decode(worker: Worker, job: DecodeJob) -> tuple[Clip, ...] | Failure:
    clips: list[Clip] = []
    for media in job.media:
        answer = worker.decode(media, job.policy, job.patch_multiple)
        if isinstance(answer, Failure):
            return answer
        clips.append(answer)
    return tuple(clips)
