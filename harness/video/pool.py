"""Decoding ahead of the consumer, in worker processes, within a bound on memory.

One thread drives each worker, so waiting for one file never holds up another. A file that hangs or
crashes its worker costs only the job it belongs to.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from harness.schema import Clip, Failure, FramePolicy, Media, MediaKind, Variant
from harness.video.decode import decode
from harness.video.worker import Decoder, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """The media of one question and how to sample them."""

    media: tuple[Media, ...]
    policy: FramePolicy
    grid: int
    """What the sides of a frame are multiples of, in pixels."""

    @property
    def max_bytes(self) -> int:
        """The bytes that its frames take at most."""
        images = sum(media.kind is MediaKind.IMAGE for media in self.media)
        frames = images + (len(self.media) - images) * self.policy.max_frames
        return frames * self.policy.max_pixels * 3


def decode_job(media: tuple[Media, ...], policy: FramePolicy, *, grid: int) -> DecodeJob:
    """Return the job of a question, equal for all questions that show the same frames.

    One decoding serves every order of its frames, and a policy that takes videos whole does not
    look at the spans that questions ask about.
    """
    if policy.whole:
        media = tuple(replace(one, start_s=None, end_s=None) for one in media)
    policy = replace(policy, order=Variant.ORDERED, seed=0)
    return DecodeJob(media=media, policy=policy, grid=grid)


Decoded = tuple[DecodeJob, tuple[Clip, ...] | Failure]


class DecodePool:
    """Worker processes that decode jobs; a context manager.

    Args:
        workers: Processes, started when first needed.
        timeout_s: Seconds that one file may take before its worker is killed.
        max_bytes: Bound on the frames that are being decoded or wait to be consumed. A job that
            exceeds it alone is decoded alone.
        decoder: What decodes one file; an importable function, since workers import it.
    """

    def __init__(
        self, *, workers: int, timeout_s: float, max_bytes: int, decoder: Decoder = decode
    ) -> None:
        self._workers = [Worker(decoder, timeout_s=timeout_s) for _ in range(workers)]
        self._max_bytes = max_bytes
        self._run: _Run | None = None

    @property
    def decodes(self) -> int:
        """Files that were given to a worker so far."""
        return sum(worker.decodes for worker in self._workers)

    def decode(self, jobs: Iterable[DecodeJob]) -> Iterator[Decoded]:
        """Yield each job with its clips, or with the failure of its first bad file.

        Results come in completion order. `jobs` is pulled lazily, from other threads but by one at
        a time; what it raises is raised here. A call ends the one before it.

        Raises:
            HarnessError: A worker process cannot be started.
        """
        self._halt()
        run = self._run = _Run(jobs, self._workers, self._max_bytes)
        try:
            yield from run.results()
        finally:
            run.halt()

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
    """One call of `DecodePool.decode`: the jobs, the threads, and the bytes that are held."""

    def __init__(self, jobs: Iterable[DecodeJob], workers: list[Worker], max_bytes: int) -> None:
        self._jobs = iter(jobs)
        self._workers = workers
        self._max_bytes = max_bytes
        self._held = 0
        self._halted = False
        self._pulling = threading.Lock()
        self._room = threading.Condition()
        self._done: queue.SimpleQueue[tuple[Decoded, int] | BaseException | None]
        self._done = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._drive, args=(worker,), daemon=True) for worker in workers
        ]

    def results(self) -> Iterator[Decoded]:
        """Start the threads and yield what they deliver."""
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        while running:
            item = self._done.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                decoded, size = item
                self._hold(-size)
                yield decoded
        for thread in self._threads:
            thread.join()

    def halt(self) -> None:
        """Stop the threads; a worker that is busy then is killed."""
        with self._room:
            self._halted = True
            self._room.notify_all()
        for thread, worker in zip(self._threads, self._workers, strict=True):
            while thread.is_alive():
                worker.kill()
                thread.join(0.05)  # the thread may just be about to start a process

    def _drive(self, worker: Worker) -> None:
        """Feed one worker; runs in its own thread."""
        try:
            while (job := self._next_job()) is not None:
                result = _decode(worker, job)
                size = 0
                if not isinstance(result, Failure):
                    size = sum(clip.frames.nbytes for clip in result)
                self._hold(size - job.max_bytes)
                self._done.put(((job, result), size))
            self._done.put(None)
        except BaseException as error:  # noqa: BLE001  (it is raised in the consumer's thread)
            self._done.put(error)

    def _next_job(self) -> DecodeJob | None:
        """Pull a job and wait until there is room for its frames."""
        with self._pulling:  # so that at most one pulled job waits
            if self._halted:
                return None
            job = next(self._jobs, None)
            if job is None:
                return None
            with self._room:
                self._room.wait_for(lambda: self._halted or self._fits(job))
                self._held += job.max_bytes
            return None if self._halted else job

    def _fits(self, job: DecodeJob) -> bool:
        return not self._held or self._held + job.max_bytes <= self._max_bytes

    def _hold(self, size: int) -> None:
        with self._room:
            self._held += size
            self._room.notify_all()


def _decode(worker: Worker, job: DecodeJob) -> tuple[Clip, ...] | Failure:
    clips: list[Clip] = []
    for media in job.media:
        answer = worker.decode(media, job.policy, job.grid)
        if isinstance(answer, Failure):
            return answer
        clips.append(answer)
    return tuple(clips)
