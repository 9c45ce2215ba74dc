"""Draws the frames of each video into one picture, a grid of equal cells."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from harness.files import write_atomically
from harness.schema import Clip

MOST_HEIGHT = 240
"""Pixels of a cell at most; smaller frames are kept as the model saw them."""
COLUMNS = 8
_MOST_SIDE = 16_383
"""Pixels of a WebP picture: https://developers.google.com/speed/webp/faq."""
_QUALITY = 82
_LOSSLESS_PIXELS = 128 * 128
"""Cells of at most this size are stored exactly: they show single pixels, enlarged."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """One picture with frames of one file, in ascending order, row by row."""

    name: str
    """Name of the file in the folder of pictures."""
    indices: tuple[int, ...]
    """Index of the frame in each cell."""
    size: tuple[int, int]
    """(width, height) of a cell in pixels."""
    columns: int


class SpriteBook:
    """Writes the pictures of a report, within a budget.

    Args:
        folder: Where the pictures go.
        max_bytes: Size of all pictures at most.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._left = max_bytes
        self.count = 0
        self.bytes = 0

    def add(self, clip: Clip) -> Sprite | None:
        """Write the picture of a clip; None where it would exceed the budget."""
        height, width = clip.frames.shape[1:3]
        columns = _count_columns(len(clip.indices), width)
        content = _encode(_arrange(clip, columns), lossless=width * height <= _LOSSLESS_PIXELS)
        if len(content) > self._left:
            return None
        self._left -= len(content)
        self.bytes += len(content)
        self.count += 1
        name = f"v{self.count:05d}.webp"
        write_atomically(self._folder / name, lambda path: path.write_bytes(content), sync=False)
        return Sprite(name, clip.indices, (width, height), columns)


def cell_size(size: tuple[int, int], frames: int) -> tuple[int, int]:
    """Return the size of a cell for frames of a recorded (width, height).

    It is the recorded size where that is low enough, and so many cells fit into one picture.
    """
    width, height = size
    columns = _count_columns(frames, width)
    most = max(1, min(MOST_HEIGHT, _MOST_SIDE // -(-frames // columns)))
    if height <= most:
        return size
    return max(1, round(width * most / height)), most


def _count_columns(frames: int, width: int) -> int:
    return max(1, min(COLUMNS, frames, _MOST_SIDE // width))


def _arrange(clip: Clip, columns: int) -> Image.Image:
    count, height, width = clip.frames.shape[:3]
    rows = -(-count // columns)
    grid = np.zeros((rows * height, columns * width, 3), np.uint8)
    for position, frame in enumerate(clip.frames):
        top, left = position // columns * height, position % columns * width
        grid[top : top + height, left : left + width] = frame
    return Image.fromarray(grid)


def _encode(picture: Image.Image, *, lossless: bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=2, lossless=lossless)
    return file.getvalue()
