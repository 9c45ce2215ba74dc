"""Where decord would show a model other frames than the file holds.

Video-R1, lmms-eval and VLMEvalKit read videos with decord, so published numbers saw its frames. It
miscounts after seeking in some healthy files (open groups of pictures, MPEG-4 with B-frames) and
conceals damage, without a word; `decode` does neither. This comparison names the files in which
the two part, so that a difference to a published number can be explained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import MediaError
from harness.schema import Clip, FramePolicy, Media, MediaKind
from harness.video.decode import decode, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME_FRAME = 8.0
"""Mean difference per colour value (of 255) below which two readers show one frame.

Conversions from YUV differ by a unit or two; another frame of a moving picture by far more.
"""


class DecordDiffersError(MediaError):
    """The file is sound, but decord shows other frames of it."""


def decode_and_compare(media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
    """Decode as `decode` does, then ask decord for the same frames; a decoder for `DecodePool`.

    Raises:
        DecordDiffersError: decord cannot read the file, or shows another frame at some index.
        MediaError: As `decode`.
    """
    clip = decode(media, policy, patch_multiple=patch_multiple)
    if media.kind is MediaKind.VIDEO:
        _compare(clip, media)
    return clip


def _compare(clip: Clip, media: Media) -> None:
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
