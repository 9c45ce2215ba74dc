"""Decodes ahead of the consumer in worker processes, within a memory budget.

One thread drives each worker, so that waiting for one file never delays another. A file that hangs
or crashes its worker fails only its own job. Frames count against the budget from the start of
their decoding until the consumer releases them.
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
    """Counts of what a pool has done so far."""

    workers: int
    decodes: int
    """Number of files decoded, failures included."""
    cache_hits: int
    """Number of files whose frames came from the frame cache."""
    busy_s: float
    """Seconds in which workers were busy, summed over workers."""
    peak_bytes: int
    """Maximum bytes of frames that were held or reserved at one time."""


class DecodePool:
    """Worker processes that decode jobs; a context manager.

    Args:
        workers: Number of processes; they are started when first needed.
        timeout_s: Seconds after which the worker of a file is killed.
        max_bytes: Budget for frames that are being decoded or not yet released. A job that is
            larger is decoded alone.
        decoder: Function that decodes one file; workers import it by name.
    """

    def __init__(
        self, *, workers: int, timeout_s: float, max_bytes: int, decoder: Decoder = decode
    ) -> None:
        self._workers = [Worker(decoder, timeout_s=timeout_s) for _ in range(workers)]
        self._budget = MemoryBudget(max_bytes)
        self._run: _PoolRun | None = None

    @property
    def counts(self) -> DecodeCounts:
        """Counts so far, over all calls of `decode`."""
        return DecodeCounts(
            workers=len(self._workers),
            decodes=sum(worker.decodes for worker in self._workers),
            cache_hits=sum(worker.cache_hits for worker in self._workers),
            busy_s=sum(worker.busy_s for worker in self._workers),
            peak_bytes=self._budget.peak,
        )

    def decode(self, jobs: Iterable[DecodeJob]) -> Iterator[Decoded]:
        """Yield each job with its clips, or with the failure of its first bad file.

        Decoding starts with the call, before the first result is requested. Results come in order
        of completion. Other threads consume `jobs` lazily, one thread at a time; its errors are
        raised here. The clips of a job count against the budget until `release` is called. A new
        call ends the one before it.

        Raises:
            HarnessError: A worker process cannot be started.
        """
        self._stop_run()
        self._budget.clear()
        self._run = _PoolRun(jobs, self._workers, self._budget)
        self._run.start()
        return self._run.results()

    def release(self, job: DecodeJob) -> None:
        """Free the memory budget of a job whose clips are no longer needed."""
        self._budget.release(job)

    def close(self) -> None:
        """Stop the workers; a running `decode` is abandoned."""
        self._stop_run()
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

    def _stop_run(self) -> None:
        if self._run is not None:
            self._run.halt()
            self._run = None


class _PoolRun:
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
            threading.Thread(target=self._drive_worker, args=(worker,), daemon=True)
            for worker in workers
        ]

    def start(self) -> None:
        """Start one thread per worker."""
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Decoded]:
        """Yield the results of the threads; raise the first error of any."""
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
            for thread in self._threads:
                thread.join()  # or `halt` would kill a worker whose thread is about to end
        except GeneratorExit:
            self.halt()
            raise

    def halt(self) -> None:
        """Stop the threads and kill workers that are busy."""
        self._halted = True
        self._budget.close()
        for thread, worker in zip(self._threads, self._workers, strict=True):
            while thread.is_alive():
                worker.kill()
                thread.join(0.05)  # the thread may just be about to start a process

    def _drive_worker(self, worker: Worker) -> None:
        """Decode job after job with one worker; runs in its own thread."""
        try:
            while (job := self._next_job()) is not None:
                result = _decode_job(worker, job)
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


def _decode_job(worker: Worker, job: DecodeJob) -> tuple[Clip, ...] | Failure:
    clips: list[Clip] = []
    for media in job.media:
        answer = worker.decode(media, job.policy, job.patch_multiple)
        if isinstance(answer, Failure):
            return answer
        clips.append(answer)
    return tuple(clips)
