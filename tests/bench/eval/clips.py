"""Video files for the benches: drawn, encoded and cut here, cached, distinct in content.

A scene pans over a fixed texture while a block crosses it, under a little sensor noise, so that
files have an ordinary bit rate and every frame differs. Long clips are windows of one long scene
that begin at different key frames: cutting copies packets, so ten of them cost one encoding.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FPS = 30
KEY_FRAME_EVERY = 250
"""x264's own default."""
LONG_SIZE = (1280, 720)
LONG_GROUPS = 14
"""Groups of pictures of a long clip: 3500 frames, 117 seconds."""
LONG_CLIPS = 14
"""How many different long clips there are."""
SHORT_SIZES = ((568, 320), (640, 360), (854, 480), (1280, 720), (480, 360), (720, 1280))
SHORT_SECONDS = (4, 6, 8, 5, 7)

Plane = NDArray[np.uint8]


def short_clip(cache: Path, number: int) -> Path:
    """Return the short clip of a number: 320 to 720 lines, four to eight seconds."""
    width, height = SHORT_SIZES[number % len(SHORT_SIZES)]
    seconds = SHORT_SECONDS[number % len(SHORT_SECONDS)]
    path = cache / f"short-{number:03d}.mp4"
    return _once(path, lambda new: _encode(new, (width, height), seconds * FPS, seed=number))


def long_clip(cache: Path, number: int) -> Path:
    """Return the long clip of a number below `LONG_CLIPS`: 720 lines, two minutes."""
    if not 0 <= number < LONG_CLIPS:
        raise ValueError(f"there are {LONG_CLIPS} long clips, not one of number {number}")
    scene = _long_scene(cache)
    return _once(cache / f"long-{number:03d}.mp4", lambda new: cut(scene, new, number))


def long_copy(cache: Path, number: int) -> Path:
    """Return one of any number of long files whose bytes differ, though not all their frames do."""
    scene = _long_scene(cache)
    path = cache / f"copy-{number:03d}.mp4"
    return _once(path, lambda new: cut(scene, new, number % LONG_CLIPS, title=f"copy {number}"))


def cut(scene: Path, path: Path, first_group: int, title: str = "") -> None:
    """Copy `LONG_GROUPS` groups of pictures from a scene, beginning with one of them."""
    with av.open(str(scene)) as source, av.open(str(path), "w", format="mp4") as target:
        taken = source.streams.video[0]
        stream = target.add_stream_from_template(taken)
        target.metadata["title"] = title
        group, offset = -1, None
        for packet in source.demux(taken):
            group += packet.is_keyframe
            if packet.dts is None or group >= first_group + LONG_GROUPS:
                break
            if group < first_group:
                continue
            offset = packet.pts if offset is None else offset
            assert packet.pts is not None
            assert offset is not None
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = stream
            target.mux(packet)


def _long_scene(cache: Path) -> Path:
    groups = LONG_GROUPS + LONG_CLIPS - 1
    return _once(
        cache / "scene.mp4",
        lambda new: _encode(new, LONG_SIZE, groups * KEY_FRAME_EVERY, seed=1000),
    )


def _once(path: Path, write: Callable[[Path], None]) -> Path:
    """Write a file beside its place and move it there whole, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        write(beside)
        shutil.move(beside, path)
    return path


def _encode(path: Path, size: tuple[int, int], frames: int, seed: int) -> None:
    width, height = size
    scene = _Scene(width, height, np.random.default_rng(seed))
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # No key frames at scene changes: windows are cut by counting them.
        stream.options = {
            "preset": "veryfast", "crf": "24", "g": str(KEY_FRAME_EVERY), "sc_threshold": "0",
        }  # fmt: skip
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(scene.frame(number), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class _Scene:
    """Draws frames as stacked YUV 4:2:0 planes, shape (height * 3 / 2, width)."""

    def __init__(self, width: int, height: int, generator: np.random.Generator) -> None:
        self._width, self._height = width, height
        self._margin = height // 2
        rows, columns = height + 2 * self._margin, width + 2 * self._margin
        self._texture = _smooth(generator.integers(20, 230, (rows // 24 + 2, columns // 24 + 2)))
        self._texture = self._texture[:rows, :columns]
        self._chroma = generator.integers(80, 176, 2, dtype=np.uint8)
        self._noise = generator.integers(0, 20, (4, height, width), dtype=np.uint8)
        self._turns = generator.uniform(0.6, 1.4, 2) / (20 * FPS)

    def frame(self, number: int) -> Plane:
        """Draw one frame."""
        x, y = (
            self._margin + int(self._margin * 0.95 * math.sin(2 * math.pi * turn * number))
            for turn in self._turns
        )
        width, height = self._width, self._height
        picture = np.empty((height * 3 // 2, width), np.uint8)
        picture[:height] = self._texture[y : y + height, x : x + width]
        picture[:height] += self._noise[number % len(self._noise)]
        half = height // 4
        picture[height : height + half] = self._chroma[0]
        picture[height + half :] = self._chroma[1]
        side = height // 6
        left, top = number * 3 % (width - side), number * 2 % (height - side)
        picture[top : top + side, left : left + side] = 235 if number // FPS % 2 else 25
        return picture


def _smooth(coarse: NDArray[np.int64]) -> Plane:
    """Enlarge a coarse grid 24 times with straight lines between its points."""
    steps = np.arange(0, 1, 1 / 24)
    rows = coarse[:-1, None, :] * (1 - steps[:, None]) + coarse[1:, None, :] * steps[:, None]
    tall = rows.reshape(-1, coarse.shape[1])
    columns = tall[:, :-1, None] * (1 - steps) + tall[:, 1:, None] * steps
    smooth: Plane = columns.reshape(tall.shape[0], -1).astype(np.uint8)
    return smooth
