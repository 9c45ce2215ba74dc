"""Draws the frames that a model sees of a row's medium, for pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from harness.report.sprites import Sprite, SpriteBook, cell_size
from harness.schema import Clip, Media


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The frames of one medium, as a picture in the folder ``frames``."""

    sprite: Sprite
    times: tuple[float, ...]
    """Seconds from the start of the clip."""


class Pictures:
    """Draws the clips of the media that were asked for.

    Args:
        folder: Where the pictures go.
        max_bytes: Size of all pictures at most.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._book = SpriteBook(folder, max_bytes)
        self._found: dict[Media, Picture] = {}

    @property
    def bytes(self) -> int:
        """Size of the pictures."""
        return self._book.bytes

    def __iter__(self) -> Iterator[Media]:
        return iter(self._found)

    def find(self, media: Media) -> Picture | None:
        """Return the picture of a medium; None where it was not drawn."""
        return self._found.get(media)

    def draw(self, media: Media, clip: Clip) -> None:
        """Draw a medium; nothing where the budget is used up."""
        sprite = self._book.add(_shrink(clip))
        if sprite is not None:
            self._found[media] = Picture(sprite=sprite, times=clip.timestamps)


def _shrink(clip: Clip) -> Clip:
    height, width = clip.frames.shape[1:3]
    size = cell_size((width, height), len(clip.frames))
    if size == (width, height):
        return clip
    resized = [np.asarray(Image.fromarray(frame).resize(size)) for frame in clip.frames]
    return replace(clip, frames=np.stack(resized))
