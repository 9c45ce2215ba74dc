"""Draw small clips with known answers: shapes that move, appear and can be counted.

A scene is a sequence of shapes with their positions over time. Its frames in reverse order are the
conflicting clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 168, 112, 8
SECONDS = 4
N_FRAMES = FPS * SECONDS

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 220),
    "yellow": (230, 200, 40),
}
DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
OPPOSITE = {"right": "left", "left": "right", "down": "up", "up": "down"}

_CODECS = {".mp4": "libx264", ".webm": "libvpx"}
_BACKGROUND = 235
_RADIUS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One coloured shape that rests or moves at constant speed, from some moment on."""

    colour: str
    form: str
    """``square`` or ``circle``."""
    start: tuple[float, float]
    """Centre in the first frame, as shares of width and height."""
    end: tuple[float, float]
    """Centre in the last frame."""
    appears: float = 0.0
    """Share of the clip after which it is visible."""

    @property
    def name(self) -> str:
        """Name the shape as questions do: ``red square``."""
        return f"{self.colour} {self.form}"


def moving(colour: str, form: str, direction: str) -> Shape:
    """Return a shape that crosses the picture in one of `DIRECTIONS`."""
    dx, dy = DIRECTIONS[direction]
    return Shape(
        colour=colour,
        form=form,
        start=(0.5 - 0.35 * dx, 0.5 - 0.35 * dy),
        end=(0.5 + 0.35 * dx, 0.5 + 0.35 * dy),
    )


def resting(colour: str, form: str, place: tuple[float, float], appears: float = 0.0) -> Shape:
    """Return a shape that does not move."""
    return Shape(colour=colour, form=form, start=place, end=place, appears=appears)


def draw(shapes: Sequence[Shape]) -> Frames:
    """Draw a scene; shape (N_FRAMES, HEIGHT, WIDTH, 3), RGB."""
    frames = np.full((N_FRAMES, HEIGHT, WIDTH, 3), _BACKGROUND, dtype=np.uint8)
    for position, frame in enumerate(frames):
        share = position / (N_FRAMES - 1)
        for shape in shapes:
            if share >= shape.appears:
                frame[_shape_mask(shape, share)] = COLOURS[shape.colour]
    return frames


def write_video(path: Path, frames: Frames) -> None:
    """Write frames at `FPS` per second: H.264, or VP8 if the suffix is ``.webm``."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(_CODECS[path.suffix], rate=Fraction(FPS))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in np.ascontiguousarray(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_frame_folder(folder: Path, frames: Frames) -> None:
    """Write frames as ``00001.jpg``, ``00002.jpg``, ..., as in MVBench's frame folders."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(folder / f"{number:05d}.jpg", quality=90)


def _shape_mask(shape: Shape, share: float) -> NDArray[np.bool_]:
    x, y = (a + (b - a) * share for a, b in zip(shape.start, shape.end, strict=True))
    dx = np.abs(np.arange(WIDTH)[None, :] - x * WIDTH)
    dy = np.abs(np.arange(HEIGHT)[:, None] - y * HEIGHT)
    square = shape.form == "square"
    inside: NDArray[np.bool_] = (
        np.maximum(dx, dy) <= _RADIUS if square else dx**2 + dy**2 <= _RADIUS**2
    )
    return inside
