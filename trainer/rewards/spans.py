"""Rewards of answers that name a span of time, beside the plain overlap that `accuracy` is.

Source of the timestamp-aware overlap: Time-R1, arXiv 2503.13377 (``iou_v2`` of
github.com/xiaomi-research/time-r1 at 7f2b594). The overlap itself is the evaluation's
(`harness.scoring.metrics.temporal_iou`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.schema import Clip, Kind, MediaKind, Sample
from harness.scoring.answers import answer_tag
from harness.scoring.metrics import temporal_iou as overlap
from harness.scoring.spans import Span, parse_gold, read_span
from trainer.rewards.reward import Reward

DURATION = "duration_s"
"""Key of `Sample.source`: seconds that the video of a row lasts, as text. Training sets it before
it computes rewards of completions."""


def with_duration(sample: Sample, clips: Sequence[Clip]) -> Sample:
    """Return a sample that knows how long its video is; without exactly one video it is the same.

    Args:
        sample: A row.
        clips: Its decoded media.
    """
    videos = [clip for clip in clips if clip.kind is not MediaKind.IMAGE]
    if len(videos) != 1:
        return sample
    return replace(sample, source={**sample.source, DURATION: repr(videos[0].duration_s)})


def temporal_iou(sample: Sample, text: str) -> float:
    """Return the overlap of the answered span with the gold one, 0 to 1; without a span 0."""
    span = answered_span(text)
    return 0.0 if span is None else overlap(span, parse_gold(sample.answer))


def timestamp_iou(sample: Sample, text: str) -> float:
    """Return Time-R1's overlap with each factor clipped to 0, so that it is within 0 and 1.

    Raises:
        ValueError: The length of the video is not known.
    """
    return _timestamp_overlap(sample, text, least=0.0)


def timestamp_iou_published(sample: Sample, text: str) -> float:
    """Return Time-R1's overlap as its code computes it, which may be below 0.

    It is where an end is further off than the video is long.

    Raises:
        ValueError: The length of the video is not known.
    """
    return _timestamp_overlap(sample, text, least=float("-inf"))


def answered_span(text: str) -> Span | None:
    """Return the span in the ``<answer>`` tags of a completion; None without one."""
    return read_span(answer_tag(text) or "")


def _timestamp_overlap(sample: Sample, text: str, *, least: float) -> float:
    """Return IoU * (1 - |start - start'| / D) * (1 - |end - end'| / D), D the video's length."""
    length = _duration(sample)
    span, gold = answered_span(text), parse_gold(sample.answer)
    if span is None:
        return 0.0
    value = overlap(span, gold)
    for time, wanted in zip(span, gold, strict=True):
        value *= max(least, 1.0 - abs(time - wanted) / length)
    return value


def _duration(sample: Sample) -> float:
    length = float(sample.source.get(DURATION, "0"))
    if not length > 0:
        raise ValueError("it needs a row with exactly one video, of known length")
    return length


SPAN_REWARDS = tuple(
    Reward(name=function.__name__, of_completion=function, kinds=(Kind.SPAN,))
    for function in (temporal_iou, timestamp_iou, timestamp_iou_published)
)
"""Rewards that a recipe may name; they apply to rows of the type temporal grounding."""
