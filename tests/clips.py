"""Small video files whose every frame shows its own number, and decoders that misbehave."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.schema import Clip, FramePolicy, Media, MediaKind

WIDTH, HEIGHT = 128, 96
_BITS = 8


def picture(number: int) -> NDArray[np.uint8]:
    """Draw `number` (0-255) as eight blocks, bright for 1, along the upper edge."""
    image = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    block = WIDTH // _BITS
    for bit in range(_BITS):
        if number >> bit & 1:
            image[: HEIGHT // 2, bit * block : (bit + 1) * block] = 220
    return image


def number(frame: NDArray[np.uint8]) -> int:
    """Read the number that an upright frame of any size shows."""
    height, width = frame.shape[:2]
    upper, block = frame[height // 8 : height // 3], width / _BITS
    centres = [int((bit + 0.5) * block) for bit in range(_BITS)]
    return sum(int(upper[:, x - 1 : x + 2].mean() > 125) << bit for bit, x in enumerate(centres))


def case_number(frame: NDArray[np.uint8]) -> int:
    """Read the number that a frame of the shared cases shows: ten cells in its second quarter."""
    height, width = frame.shape[:2]
    row = frame[height * 3 // 8]
    return sum(int(row[int((bit + 0.5) * width / 10)].mean() > 127) << bit for bit in range(10))


def write_clip(
    path: Path,
    frames: int = 40,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    pts: Sequence[int] | None = None,
) -> Path:
    """Encode frames 0, 1, 2, ... at 10 per second; `pts` are in tenths of a second.

    With `rotation` the pictures are stored turned, and the file says how to turn them back.
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stored = [np.rot90(picture(index), -rotation // 90) for index in range(frames)]
        stream = container.add_stream(codec, rate=10, options=options or {})
        stream.height, stream.width = stored[0].shape[:2] if stored else (HEIGHT, WIDTH)
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for index, image in enumerate(stored):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = pts[index] if pts else index
            frame.time_base = Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Write a file that has sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def write_folder(folder: Path, frames: int = 12) -> Path:
    """Write 00001.png, 00002.png, ... that show 1, 2, ...; MVBench counts from one."""
    folder.mkdir()
    for index in range(1, frames + 1):
        Image.fromarray(picture(index)).save(folder / f"{index:05d}.png")
    return folder


def fake_decode(media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
    """Do what the name of the file says: hang, crash, raise, or answer with one 3 kB frame."""
    match media.path.stem.partition("-")[0]:
        case "hang":
            time.sleep(3600)
        case "crash":
            os.abort()
        case "raise":
            raise KeyError("no such atom")
    return Clip(
        key=f"{media.path.name}-{os.getpid()}",
        kind=MediaKind.VIDEO,
        frames=np.full((1, 32, 32, 3), len(media.path.name), np.uint8),
        indices=(0,),
        timestamps=(0.0,),
        fps=1.0,
        total_frames=1,
        duration_s=1.0,
    )
