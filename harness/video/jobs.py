"""Defines decode jobs: one for all questions with the same frames, ordered by file size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.schema import FramePolicy, Media, MediaKind, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """The media of one question and the policy that selects their frames."""

    media: tuple[Media, ...]
    policy: FramePolicy
    patch_multiple: int
    """What frame sides are multiples of, in pixels."""

    @property
    def max_bytes(self) -> int:
        """Upper bound of the bytes of its frames."""
        images = sum(media.kind is MediaKind.IMAGE for media in self.media)
        frames = images + (len(self.media) - images) * self.policy.max_frames
        return frames * self.policy.max_pixels * 3


def decode_job(media: tuple[Media, ...], policy: FramePolicy, *, patch_multiple: int) -> DecodeJob:
    """Return the decode job of a question; questions with the same frames get equal jobs.

    The order of the frames does not matter (they are rearranged later), nor do the spans of the
    questions if the policy takes videos whole.
    """
    if policy.whole:
        media = tuple(replace(one, start_s=None, end_s=None) for one in media)
    policy = replace(policy, order=Variant.ORDERED, seed=0)
    return DecodeJob(media=media, policy=policy, patch_multiple=patch_multiple)


def heaviest_first(jobs: Iterable[DecodeJob]) -> list[DecodeJob]:
    """Sort jobs by the size of their files, largest first, so that no long video comes last.

    The size is an estimate of the decoding time. A missing file counts as empty; its job fails
    later.
    """
    return sorted(
        jobs, key=lambda job: sum(_file_bytes(media.path) for media in job.media), reverse=True
    )


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
