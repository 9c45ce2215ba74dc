"""Turns and mirrors decoded frames as the display matrix of their file asks, in all eight ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

Frame = NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""


def turn_upright(frame: VideoFrame) -> Frame:
    """Return the pixels of a frame, upright, as ffmpeg shows them.

    The matrix takes the column x and the row y of a stored pixel to ``a * x + c * y`` and
    ``b * x + d * y`` (ISO/IEC 14496-12, 8.3.2). A rotation by another angle than a right one is
    taken for the nearest right one.
    """
    pixels: Frame = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    a, b, c, d = _display_matrix(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels = pixels.transpose(1, 0, 2)
        a, d = c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return pixels


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, b, c, d of the matrix (libavutil/display.h stores nine numbers, row by row)."""
    from av.sidedata.sidedata import SideDataContainer

    # Not `frame.side_data`: it makes frame and side data refer to each other, so that only the
    # garbage collector frees them, and megabytes of every frame wait for it.
    stored: Any = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if stored is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32)[:5].tolist()
    return a, b, c, d
