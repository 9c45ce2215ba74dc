"""Draws the canary: a clip whose frames carry a number, decoded and asked about by every replica.

A replica that decodes other pixels (another PyAV or Pillow), or whose engine says nothing where
others speak, is found before it answers an item.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Backend
from harness.schema import (
    Clip,
    Completion,
    Failure,
    FramePolicy,
    Media,
    Prompt,
    Request,
    Sampling,
)
from harness.video.decode import decode

QUESTION = "Which number do the frames show?"
POLICY = FramePolicy(max_frames=4)
_NUMBER = "4071"
_FRAMES = 8
_WIDTH, _HEIGHT, _CELL = 192, 128, 8
_SEGMENTS = {"0": "abcdef", "1": "bc", "4": "bcfg", "7": "abc"}
"""Lit segments of a seven-segment display: a is the upper one, then clockwise, g the middle."""
_PLACES = {
    "a": (0, 0, 1, 4), "b": (0, 3, 5, 1), "c": (4, 3, 5, 1), "d": (8, 0, 1, 4),
    "e": (4, 0, 5, 1), "f": (0, 0, 5, 1), "g": (4, 0, 1, 4),
}  # fmt: skip
"""Of each segment: row, column, height and width in cells."""


@cache
def draw_clip() -> bytes:
    """Return a short MPEG-4 video whose frames show a number that moves."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number in range(_FRAMES):
            frame = av.VideoFrame.from_ndarray(_draw_frame(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def decode_clip(video: bytes, patch_multiple: int) -> Clip:
    """Decode the canary as any video of the run is decoded, without a frame cache."""
    with tempfile.TemporaryDirectory(prefix="videor1-canary-") as folder:
        path = Path(folder) / "canary.mp4"
        path.write_bytes(video)
        return decode(Media(path=path), POLICY, patch_multiple=patch_multiple)


def fingerprint(clip: Clip) -> str:
    """Return a hash of all pixels of a clip."""
    digest = hashlib.blake2b(repr(clip.frames.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(clip.frames).tobytes())
    return digest.hexdigest()


def ask_engine(backend: Backend, clip: Clip) -> str:
    """Return an engine's greedy answer about the canary; thought and answer, or why it failed."""
    sampling = Sampling(temperature=0.0, max_tokens=16)
    request = Request(id="canary", prompt=Prompt(text=QUESTION), sampling=sampling, clips=(clip,))
    text = ""
    for _, answer in backend.generate(iter([request])):
        text = _text_of(answer)
    return text


def is_silent(text: str) -> bool:
    """Return whether an answer of the canary says nothing."""
    return not text.strip() or text.startswith(_FAILED)


def name_deviating(texts: Mapping[str, str]) -> Collection[str]:
    """Return the replicas whose answer is not that of more than half of them.

    Without such a majority they are all named, as nobody can say who is right.
    """
    [(most, count)] = Counter(texts.values()).most_common(1) or [("", 0)]
    if 2 * count <= len(texts):
        return tuple(texts)
    return tuple(name for name, text in texts.items() if text != most)


_FAILED = "failed: "


def _text_of(answer: Completion | Failure) -> str:
    if isinstance(answer, Failure):
        return f"{_FAILED}{answer.error}"
    return f"{answer.reasoning or ''}{answer.text}"


def _draw_frame(number: int) -> NDArray[np.uint8]:
    """Draw the number on a shaded ground, a little further to the right in each frame."""
    shade = np.linspace(16, 96, _WIDTH, dtype=np.uint8)
    image = np.broadcast_to(shade[None, :, None], (_HEIGHT, _WIDTH, 3)).copy()
    for place, digit in enumerate(_NUMBER):
        left = 2 * number + 8 + place * 5 * _CELL
        for segment in _SEGMENTS[digit]:
            row, column, height, width = (_CELL * cells for cells in _PLACES[segment])
            image[24 + row : 24 + row + height, left + column : left + column + width] = (
                230, 200, 40 * place,
            )  # fmt: skip
    return image
