"""What has to be decoded, once for all questions that show the same frames, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.schema import FramePolicy, Media, MediaKind, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """The media of one question and how to sample them."""

    media: tuple[Media, ...]
    policy: FramePolicy
    patch_multiple: int
    """What the sides of a frame are multiples of, in pixels."""

    @property
    def max_bytes(self) -> int:
        """The bytes that its frames take at most."""
        images = sum(media.kind is MediaKind.IMAGE for media in self.media)
        frames = images + (len(self.media) - images) * self.policy.max_frames
        return frames * self.policy.max_pixels * 3


def decode_job(media: tuple[Media, ...], policy: FramePolicy, *, patch_multiple: int) -> DecodeJob:
    """Return the job of a question, equal for all questions that show the same frames.

    One decoding serves every order of its frames, and a policy that takes videos whole does not
    look at the spans that questions ask about.
    """
    if policy.whole:
        media = tuple(replace(one, start_s=None, end_s=None) for one in media)
    policy = replace(policy, order=Variant.ORDERED, seed=0)
    return DecodeJob(media=media, policy=policy, patch_multiple=patch_multiple)


def heaviest_first(jobs: Iterable[DecodeJob]) -> list[DecodeJob]:
    """Order jobs by the size of their files, so that no long video is left for the end alone.

    The size stands for the time, which only opening every file would tell. A missing file weighs
    nothing: its job fails on its own.
    """
    return sorted(
        jobs, key=lambda job: sum(_bytes(media.path) for media in job.media), reverse=True
    )


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
