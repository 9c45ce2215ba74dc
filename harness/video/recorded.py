"""Decodes the frames that a finished run saw, by the indices that its records hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.schema import Clip, FramePolicy, Media
from harness.video.decode import decode_at
from harness.video.jobs import DecodeJob

_MOST_FRAMES, _MOST_PIXELS = 4096, 1 << 26
"""Bounds of a `FramePolicy`; beyond them a job reserves less memory than it takes."""


@dataclass(frozen=True, slots=True)
class RecordedFrames:
    """The frames of one file that are wanted, and the size that each gets."""

    indices: tuple[int, ...]
    """Ascending, none twice."""
    size: tuple[int, int]
    """(width, height) in pixels."""

    def job(self, media: Media) -> DecodeJob:
        """Return the job of a decode pool that reserves memory for these frames."""
        policy = FramePolicy(
            max_frames=min(len(self.indices), _MOST_FRAMES),
            min_frames=1,
            min_pixels=1,
            max_pixels=min(self.size[0] * self.size[1], _MOST_PIXELS),
        )
        return DecodeJob(media=(media,), policy=policy, patch_multiple=1)


@dataclass(frozen=True, slots=True)
class RecordedDecoder:
    """A decoder for `harness.video.pool.DecodePool` that returns recorded frames of known files."""

    wanted: Mapping[Media, RecordedFrames]

    def __call__(self, media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
        """Decode the wanted frames of a file; the rule and the sizes of `policy` are ignored."""
        frames = self.wanted[media]
        return decode_at(media, frames.indices, frames.size)
