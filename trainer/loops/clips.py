"""Decode the media of training rows ahead of the training step, in worker processes.

The collator starts the decoding of a batch, which is needed one step later, so that on a GPU it
runs during the step before.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from harness.errors import MediaError
from harness.schema import Clip, Failure, Media, MediaKind
from harness.video.decode import decode
from harness.video.jobs import DecodeJob
from harness.video.pool import DecodePool
from harness.video.worker import Decoder
from trainer.config.sections import DataSettings, FrameSettings


@dataclass(frozen=True, slots=True)
class PendingClips:
    """The clips of one row, some of which are still being decoded."""

    parts: Sequence[Future[Clip | Failure]]
    """One per medium of the row."""

    def done(self) -> bool:
        """Return whether `result` needs no waiting."""
        return all(part.done() for part in self.parts)

    def result(self) -> tuple[Clip, ...] | Failure:
        """Wait for the clips; returns the failure of the first bad file.

        Raises:
            HarnessError: A worker process cannot be started.
        """
        clips: list[Clip] = []
        for part in self.parts:
            decoded = part.result()
            if isinstance(decoded, Failure):
                return decoded
            clips.append(decoded)
        return tuple(clips)


class ClipLoader:
    """Decodes the media of training rows; a context manager.

    Args:
        frames: Which frames to take, and their size.
        data: Number of worker processes (0: this process decodes), and seconds allowed per file.
        patch_multiple: The sides of a frame are multiples of this many pixels.
        decoder: Decodes one file; an importable function, since worker processes import it.
    """

    def __init__(
        self,
        frames: FrameSettings,
        data: DataSettings,
        *,
        patch_multiple: int,
        decoder: Decoder = decode,
    ) -> None:
        self.decodes = 0
        """Files whose decoding was started so far."""
        self._frames = frames
        self._patch_multiple = patch_multiple
        self._decoder = decoder
        self._queue = (
            _DecodeQueue(data.decode_workers, data.decode_timeout_s, decoder)
            if data.decode_workers
            else None
        )

    def start(self, media: Sequence[Media]) -> PendingClips:
        """Start decoding the media of one row; without workers decode them now."""
        self.decodes += len(media)
        return PendingClips([self._start_one(one) for one in media])

    def blank(self, frames: int) -> Clip:
        """Return a black video of the smallest frame size, for a row that cannot be decoded."""
        size = self._patch_multiple
        return Clip(
            key=f"blank-{frames}x{size}",
            kind=MediaKind.VIDEO,
            frames=np.zeros((frames, size, size, 3), np.uint8),
            indices=tuple(range(frames)),
            timestamps=tuple(map(float, range(frames))),
            fps=1.0,
            total_frames=frames,
            duration_s=float(frames),
        )

    def close(self) -> None:
        """End the worker processes; a file that is being decoded becomes a `Failure`."""
        if self._queue is not None:
            self._queue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start_one(self, media: Media) -> Future[Clip | Failure]:
        policy = self._frames.policy(media.kind)
        job = DecodeJob(media=(media,), policy=policy, patch_multiple=self._patch_multiple)
        if self._queue is not None:
            return self._queue.submit(job)
        done: Future[Clip | Failure] = Future()
        try:
            done.set_result(self._decoder(media, policy, patch_multiple=self._patch_multiple))
        except MediaError as error:
            done.set_result(Failure(stage="media", error=type(error).__name__, message=str(error)))
        return done


class _DecodeQueue:
    """Gives jobs that arrive one by one to a `DecodePool`, and its results to their futures.

    A pool reads jobs from an iterator and yields results in completion order; here the iterator is
    a queue, and a thread reads the results. The pool's memory bound is not needed: a batch is all
    that is in flight.
    """

    def __init__(self, workers: int, timeout_s: float, decoder: Decoder) -> None:
        self._pool = DecodePool(
            workers=workers, timeout_s=timeout_s, max_bytes=sys.maxsize, decoder=decoder
        )
        self._jobs: queue.SimpleQueue[DecodeJob | None] = queue.SimpleQueue()
        self._waiting: dict[DecodeJob, Future[Clip | Failure]] = {}
        self._changing = threading.Lock()
        self._error: Exception | None = None
        results = self._pool.decode(iter(self._jobs.get, None))
        self._reader = threading.Thread(target=self._read_results, args=(results,), daemon=True)
        self._reader.start()

    def submit(self, job: DecodeJob) -> Future[Clip | Failure]:
        """Return the future of a job of one medium, the same one for equal jobs in flight."""
        with self._changing:
            future = self._waiting.get(job)
            if future is None:
                future = Future()
                if self._error is not None:
                    future.set_exception(self._error)
                    return future
                self._waiting[job] = future
                self._jobs.put(job)
            return future

    def close(self) -> None:
        """End the workers and cancel the futures of jobs that were not begun."""
        self._jobs.put(None)
        self._pool.close()
        self._reader.join()
        for future in self._waiting.values():
            future.cancel()

    def _read_results(
        self, results: Iterator[tuple[DecodeJob, tuple[Clip, ...] | Failure]]
    ) -> None:
        """Set the result of each future; runs in a thread of its own."""
        try:
            for job, decoded in results:
                self._pool.release(job)
                with self._changing:
                    future = self._waiting.pop(job)
                future.set_result(decoded if isinstance(decoded, Failure) else decoded[0])
        except Exception as error:  # noqa: BLE001  (a worker cannot be started; no row may wait on)
            with self._changing:
                self._error = error
                for future in self._waiting.values():
                    future.set_exception(error)
                self._waiting.clear()
