"""Draw scenes of plain figures and write them to lossless files.

A scene is a sequence of pictures, one per frame; a picture is a sequence of figures. So
``scene[::-1]`` is the scene played backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Frames: shape (frames, SIDE, SIDE, 3), RGB."""

SIDE = 56
"""Width and height of every picture in pixels: 2 x 2 tokens of Qwen2.5-VL."""
FPS = 2
N_FRAMES = 8

COLOURS = {
    "red": (235, 20, 20),
    "green": (20, 200, 40),
    "blue": (30, 50, 250),
    "yellow": (250, 230, 20),
}
SHAPES = ("circle", "square", "triangle", "cross")

_BACKGROUND = (122.0, 117.0, 104.0)
"""The grey that CLIP's normalisation maps to zero: the background carries no signal."""


class Appearance(NamedTuple):
    """What a figure looks like."""

    colour: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure in one frame."""

    colour: str
    shape: str
    x: float
    """Centre in pixels from the left."""
    y: float
    """Centre in pixels from the top."""
    width: float
    """In pixels."""

    @property
    def name(self) -> str:
        """Name the figure as questions do: ``red circle``."""
        return f"{self.colour} {self.shape}"


Picture = tuple[Figure, ...]
Scene = tuple[Picture, ...]


def draw(scene: Scene) -> Pixels:
    """Draw a scene: one frame per picture, later figures on top of earlier ones."""
    return np.stack([_draw_picture(picture) for picture in scene])


def write_clip(path: Path, frames: Pixels) -> None:
    """Write frames as lossless H.264 in RGB at `FPS` frames per second."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=Fraction(FPS), options=_LOSSLESS)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "rgb24"
        for frame in np.ascontiguousarray(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_still(path: Path, frames: Pixels) -> None:
    """Write the first frame as a PNG file."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frames[0]).save(path)


_LOSSLESS = {"qp": "0", "preset": "veryfast", "threads": "1"}
_ROWS, _COLUMNS = np.mgrid[0.5:SIDE, 0.5:SIDE]


def _draw_picture(picture: Sequence[Figure]) -> Pixels:
    canvas = np.tile(np.array(_BACKGROUND), (SIDE, SIDE, 1))
    for figure in picture:
        dx, dy = _COLUMNS - figure.x, _ROWS - figure.y
        # Edges are blended over one pixel, so that motion by less than a pixel is visible.
        cover = np.clip(_DEPTHS[figure.shape](dx, dy, figure.width / 2) + 0.5, 0, 1)[..., None]
        canvas += cover * (np.array(COLOURS[figure.colour]) - canvas)
    return canvas.round().astype(np.uint8)


_Field = NDArray[np.float64]


def _cross(dx: _Field, dy: _Field, radius: float) -> _Field:
    wide, thin = radius - np.maximum(abs(dx), abs(dy)), radius / 2.5 - np.minimum(abs(dx), abs(dy))
    return np.minimum(wide, thin)


_DEPTHS: Mapping[str, Callable[[_Field, _Field, float], _Field]] = MappingProxyType(
    {
        "circle": lambda dx, dy, radius: radius - np.hypot(dx, dy),
        "square": lambda dx, dy, radius: radius - np.maximum(abs(dx), abs(dy)),
        "triangle": lambda dx, dy, radius: np.minimum(radius - dy, (dy + radius) / 2 - abs(dx)),
        "cross": _cross,
    }
)
"""By shape: how far inside the figure's edge a pixel lies, in pixels; negative outside."""
