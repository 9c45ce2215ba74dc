"""Pictures of plain figures, and the small files that hold them without loss.

A scene is a picture per frame, a picture is a set of figures. So a scene played backwards is
``scene[::-1]``, and one in another order is the same pictures picked in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIDE = 56
"""Width and height of every picture in pixels: two by two tokens of a Qwen2.5-VL."""
FPS = 2
N_FRAMES = 8

COLOURS = {
    "red": (235, 20, 20),
    "green": (20, 200, 40),
    "blue": (30, 50, 250),
    "yellow": (250, 230, 20),
}
FORMS = ("circle", "square", "triangle", "cross")

_BACKGROUND = (122.0, 117.0, 104.0)
"""The grey that CLIP-style normalisation maps to zero, so that a tiny model sees figures only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure at one moment."""

    colour: str
    form: str
    x: float
    """Centre in pixels from the left."""
    y: float
    """Centre in pixels from the top."""
    width: float
    """Pixels."""

    @property
    def name(self) -> str:
        """``red circle``."""
        return f"{self.colour} {self.form}"


Look = tuple[str, str]
"""Colour and form of a figure."""
Picture = tuple[Figure, ...]
Scene = tuple[Picture, ...]


def draw(scene: Scene) -> Pixels:
    """Draw a scene; shape (len(scene), SIDE, SIDE, 3), RGB, later figures on top."""
    return np.stack([_draw_picture(picture) for picture in scene])


def write_clip(path: Path, frames: Pixels) -> None:
    """Encode frames at `FPS` per second as lossless H.264 in RGB: the file holds what was drawn."""
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
    """Write a scene of one picture as PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frames[0]).save(path)


_LOSSLESS = {"qp": "0", "preset": "veryfast", "threads": "1"}
_ROWS, _COLUMNS = np.mgrid[0.5:SIDE, 0.5:SIDE]


def _draw_picture(picture: Sequence[Figure]) -> Pixels:
    canvas = np.tile(np.array(_BACKGROUND), (SIDE, SIDE, 1))
    for figure in picture:
        dx, dy = _COLUMNS - figure.x, _ROWS - figure.y
        # Half a pixel on both sides of the edge is mixed, so that slow motion is not lost.
        cover = np.clip(_DEPTHS[figure.form](dx, dy, figure.width / 2) + 0.5, 0, 1)[..., None]
        canvas += cover * (np.array(COLOURS[figure.colour]) - canvas)
    return canvas.round().astype(np.uint8)


_Grid = NDArray[np.float64]


def _cross(dx: _Grid, dy: _Grid, radius: float) -> _Grid:
    wide, thin = radius - np.maximum(abs(dx), abs(dy)), radius / 2.5 - np.minimum(abs(dx), abs(dy))
    return np.minimum(wide, thin)


_DEPTHS: Mapping[str, Callable[[_Grid, _Grid, float], _Grid]] = MappingProxyType(
    {
        "circle": lambda dx, dy, radius: radius - np.hypot(dx, dy),
        "square": lambda dx, dy, radius: radius - np.maximum(abs(dx), abs(dy)),
        "triangle": lambda dx, dy, radius: np.minimum(radius - dy, (dy + radius) / 2 - abs(dx)),
        "cross": _cross,
    }
)
"""How far inside a figure's edge a pixel lies, by form."""
