"""Decoding ahead of the training step, in killable processes, with every decode counted.

A batch asks for its media when it is collated and needs them one step later, so on a GPU decoding
hides behind the step before.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np

from harness.errors import MediaError
from harness.schema import Clip, Failure, Media, MediaKind
from harness.video.decode import decode
from harness.video.worker import Decoder, Worker
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
)

Decoded = tuple[Clip, ...] | Failure


class ClipLoader:
    """Decodes the media of training rows; a context manager.

    Args:
        frames: Which frames, and how large.
        data: How many worker processes, and how long one file may take.
        patch_multiple: What the sides of a frame are multiples of, in pixels.
        decoder: What decodes one file; an importable function, since workers import it.
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
        """Files that were decoded so far."""
        self._frames = frames
        self._patch_multiple = patch_multiple
        self._decoder = decoder
        self._workers = [
            Worker(decoder, timeout_s=data.decode_timeout_s) for _ in range(data.decode_workers)
        ]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max_workers=max(1, len(self._workers)))

    def start(self, media: Sequence[Media]) -> Future[Decoded]:
        """Begin to decode the media of one row, or do it now where there are no workers."""
        self.decodes += len(media)
        if self._workers:
            return self._threads.submit(self._in_worker, tuple(media))
        done: Future[Decoded] = Future()
        done.set_result(self._here(media))
        return done

    def blank(self, frames: int) -> Clip:
        """Return a black video of one square of the grid, to show where nothing was decoded."""
        return Clip(
            key=f"blank-{frames}x{self._patch_multiple}",
            kind=MediaKind.VIDEO,
            frames=np.zeros((frames, self._patch_multiple, self._patch_multiple, 3), np.uint8),
            indices=tuple(range(frames)),
            timestamps=tuple(map(float, range(frames))),
            fps=1.0,
            total_frames=frames,
            duration_s=float(frames),
        )

    def close(self) -> None:
        """End the workers; what is under way is abandoned."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.kill()  # frees the thread that waits for it
        self._threads.shutdown()
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

    def _in_worker(self, media: tuple[Media, ...]) -> Decoded:
        worker = self._idle.get()
        try:
            clips: list[Clip] = []
            for one in media:
                answer = worker.decode(one, self._frames.policy(one.kind), self._patch_multiple)
                if isinstance(answer, Failure):
                    return answer
                clips.append(answer)
            return tuple(clips)
        finally:
            self._idle.put(worker)

    def _here(self, media: Sequence[Media]) -> Decoded:
        try:
            return tuple(
                self._decoder(
                    one, self._frames.policy(one.kind), patch_multiple=self._patch_multiple
                )
                for one in media
            )
        except MediaError as error:
            return Failure(stage="media", error=type(error).__name__, message=str(error))
