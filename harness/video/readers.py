"""The frames of a video file, read by decord where it can be trusted and by PyAV elsewhere.

A requested frame is the one the file holds, or there is an error. decord alone cannot promise that:
in a damaged file it delivers concealed or repeated frames without a word, and in a healthy one it
miscounts after seeking into an open group of pictures. So PyAV first decodes strictly what leads to
the requested frames, and decord is asked for the pixels of files that it is known to count right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.video.strict import strict_frames
from harness.video.track import Track

Frame = NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""

_BATCH = 8  # full-size frames that decord holds at once


def read(track: Track, wanted: Collection[int]) -> Iterator[tuple[int, Frame]]:
    """Yield the wanted frames of `track` with their indices, upright and at source size.

    They come in any order; a frame that comes again replaces the first.

    Raises:
        MediaError: Some wanted frame cannot be decoded cleanly.
    """
    if track.closed:
        for _ in strict_frames(track, wanted):
            pass  # it raises where something is wrong
        try:
            yield from _decord_frames(track, sorted(wanted))
            return
        except _DecordError:
            pass  # PyAV has just shown that it can read them
    for index, frame in strict_frames(track, wanted):
        pixels: Frame = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
        # The display matrix turns by so many degrees counter-clockwise, as rot90 does.
        yield index, np.rot90(pixels, frame.rotation // 90)


class _DecordError(Exception):
    """Decord cannot read the file, or counts its frames differently."""


def _decord_frames(track: Track, wanted: Sequence[int]) -> Iterator[tuple[int, Frame]]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(track.path), num_threads=1, fault_tol=0)
        if len(reader) != len(track.pts):
            raise _DecordError(f"decord counts {len(reader)} frames of {len(track.pts)}")
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            frames: Frame = reader.get_batch(batch).asnumpy()
            yield from zip(batch, frames, strict=True)
    except (decord.DECORDError, RuntimeError, AssertionError) as error:
        raise _DecordError(str(error)) from error
    finally:
        decord.logging.set_level(decord.logging.ERROR)  # as it is after its import
