"""Finds the files of which decord shows other frames than the file holds.

Video-R1, lmms-eval and VLMEvalKit read videos with decord, so published numbers saw its frames. In
some healthy files (open groups of pictures, MPEG-4 with B-frames) decord miscounts after seeking,
and it hides damage; `harness.video.decode.decode` does neither. The check names these files, so
that a difference to a published number can be explained. See docs/sources.md, "decord".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import MediaError, UsageError
from harness.plugins import importing, is_installed, require
from harness.schema import Clip, FramePolicy, Media, MediaKind
from harness.video.decode import decode, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNAVAILABLE = (
    "decord is not available on this platform; videos that it reads differently are not looked for"
)

_SAME_FRAME = 8.0
"""Mean difference per colour value (of 255) below which two readers show the same frame.

Conversions from YUV differ by a unit or two; another frame of a moving picture by far more.
"""


class DecordDiffersError(MediaError):
    """The file is sound, but decord shows other frames of it."""


def why_unavailable() -> str | None:
    """Return why decord cannot be used here, None where it can.

    It has packages for x86-64 Linux and Windows only; one whose import fails says so itself.
    """
    if not is_installed("decord"):
        return UNAVAILABLE
    try:
        require("decord", None)
    except UsageError as error:
        return f"{error}; videos that it reads differently are not looked for"
    return None


def decode_and_compare(media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
    """Decode as `decode` does, then read the same frames with decord; a decoder for `DecodePool`.

    Raises:
        DecordDiffersError: decord cannot read the file, or shows another frame at some index.
        MediaError: The file cannot be decoded.
    """
    clip = decode(media, policy, patch_multiple=patch_multiple)
    if media.kind is MediaKind.VIDEO:
        _compare_frames(clip, media)
    return clip


def _compare_frames(clip: Clip, media: Media) -> None:
    with importing("decord", None):
        import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(media.path), num_threads=1)
        frames: NDArray[np.uint8] = reader.get_batch(list(clip.indices)).asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise DecordDiffersError(f"{media.path}: decord cannot read it: {error}") from error
    size = (clip.frames.shape[2], clip.frames.shape[1])
    for index, ours, theirs in zip(clip.indices, clip.frames, frames, strict=True):
        shown = resize(theirs, size).astype(np.int16)
        if np.abs(shown - ours).mean() > _SAME_FRAME:
            raise DecordDiffersError(f"{media.path}: at frame {index} decord shows another frame")
