"""Computes which frames of a clip are selected and what size they get; nothing is decoded.

VIDEO_R1 and `frame_size` follow the paper's fork of qwen-vl-utils, SEGMENTS follows MVBench's
notebook, LINSPACE the samplers of VSI-Bench and VideoMMMU; PER_SECOND, MIDDLES, INNER and STRIDE
those of MMVU, Video-MME, Video-MME-v2 and LongVideoBench (docs/sources.md, "Frame selection").
Halves are rounded to even, as in Python, NumPy and torch; LINSPACE truncates, as its publishers do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from harness.errors import UnusableMediaError
from harness.schema import FramePolicy, FrameRule
from harness.video.timeline import frame_rate, is_regular, nearest_frame

MAX_ASPECT = 200
"""Longest side over shortest side that can still be resized with its aspect kept."""


def indices(
    policy: FramePolicy,
    *,
    total: int,
    fps: float,
    start_s: float | None = None,
    end_s: float | None = None,
    first: int = 0,
) -> tuple[int, ...]:
    """Return the numbers of the frames that `policy` selects from a clip, in time order.

    SEGMENTS, LINSPACE, MIDDLES and INNER return numbers twice if the span has fewer frames than
    they take; that is the publishers' rule. The others never do. SEGMENTS takes a span that begins
    right behind the last frame as its publisher does: the last frames, backwards.

    Args:
        policy: The rule and its numbers.
        total: Frames of the source.
        fps: Frames per second of the source.
        start_s: Start of the span in seconds; None: the start of the source.
        end_s: End of the span in seconds; None: the end of the source.
        first: Number of the first frame: 0 in a video, 1 in a numbered frame folder.

    Returns:
        Frame numbers between `first` and ``first + total - 1``, never empty.

    Raises:
        UnusableMediaError: The source has no frames, or the span holds none of them.
    """
    start, end = span(policy, total=total, fps=fps, start_s=start_s, end_s=end_s, first=first)
    return select(policy, Span(start, end, fps))


class Span(NamedTuple):
    """The frames between two times, both included, and their mean rate."""

    start: int
    end: int
    fps: float


def select(policy: FramePolicy, part: Span) -> tuple[int, ...]:
    """Return the numbers that the rule of `policy` selects from a span, as `indices` does."""
    return _RULES[policy.rule](policy, part.start, part.end, part.fps)


def find_span(
    policy: FramePolicy,
    times: Sequence[float],
    *,
    fps: float,
    start_s: float | None,
    end_s: float | None,
    first: int,
) -> Span:
    """Return the span between two times, found by `span` where frames are `fps` apart.

    Elsewhere it begins and ends at the frames nearest to its times, and has its own mean rate.

    Raises:
        UnusableMediaError: No frame lies between them.
    """
    whole = start_s is None and end_s is None
    if whole or is_regular(times, fps):
        start, end = span(
            policy, total=len(times), fps=fps, start_s=start_s, end_s=end_s, first=first
        )
        return Span(start, end, fps)
    start, end = _timed_span(times, fps, start_s, end_s)
    return Span(start + first, end + first, frame_rate(times[start : end + 1], None) or fps)


def span(
    policy: FramePolicy,
    *,
    total: int,
    fps: float,
    start_s: float | None,
    end_s: float | None,
    first: int = 0,
) -> tuple[int, int]:
    """Return the numbers of the first and last frame between two times, both included.

    The first is behind the last where the rule of `policy` has frames for such a span, too. Raises
    `UnusableMediaError` if no frame lies between the times.
    """
    if total < 1:
        raise UnusableMediaError("the clip has no frames")
    last = first + total - 1
    start, end = first, last
    if start_s is not None:
        start = max(start, round(start_s * fps))
    if end_s is not None:
        end = min(end, round(end_s * fps))
    backwards = start_s is not None and end_s is not None and start_s > end_s
    if start > end and (backwards or not _reaches_back(policy, start, end, range(first, last + 1))):
        raise UnusableMediaError(
            f"no frame lies between {start_s} s and {end_s} s;"
            f" the clip has {total} frames at {fps:g} per second"
        )
    return start, end


def _reaches_back(policy: FramePolicy, start: int, end: int, known: range) -> bool:
    """Return whether the rule names only known frames for a span that begins behind its end."""
    if policy.rule is not FrameRule.SEGMENTS:
        return False
    return all(number in known for number in _select_segments(policy, start, end, 0.0))


def _timed_span(
    times: Sequence[float], fps: float, start_s: float | None, end_s: float | None
) -> tuple[int, int]:
    """Return the indices of the frames nearest to two times; raise as `span` does."""
    start = 0 if start_s is None else nearest_frame(times, start_s)
    end = len(times) - 1 if end_s is None else nearest_frame(times, end_s)
    beyond = start_s is not None and start_s > times[-1] + 0.5 / fps
    if beyond or start > end:
        raise UnusableMediaError(
            f"no frame lies between {start_s} s and {end_s} s; the clip has {len(times)} frames in"
            f" {times[-1]:g} s"
        )
    return start, end


def frame_size(
    width: int, height: int, *, min_pixels: int, max_pixels: int, patch_multiple: int
) -> tuple[int, int]:
    """Return the size a frame is resized to: sides are multiples of the patch, aspect is kept.

    Each side goes to the nearest multiple. Where that leaves the pixel bounds, both sides are
    scaled to the bound first and then rounded down (too large) or up (too small).

    Args:
        width: Source width in pixels.
        height: Source height in pixels.
        min_pixels: Fewest pixels of a frame.
        max_pixels: Most pixels of a frame.
        patch_multiple: What both sides are multiples of: 28 for Qwen2.5-VL, 32 for Qwen3-VL.

    Returns:
        (width, height) in pixels.

    Raises:
        UnusableMediaError: One side is more than `MAX_ASPECT` times the other.
    """
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UnusableMediaError(f"a frame of {width}x{height} is too narrow to be resized")
    patch = patch_multiple
    sides = [max(patch, round(side / patch) * patch) for side in (width, height)]
    if math.prod(sides) > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        sides = [max(patch, math.floor(side / shrink / patch) * patch) for side in (width, height)]
    elif math.prod(sides) < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        sides = [math.ceil(side * grow / patch) * patch for side in (width, height)]
    return sides[0], sides[1]


def _select_video_r1(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select `policy.fps` frames per second, an even number within the bounds of the policy.

    A span of one frame, for which the original arithmetic returns nothing, returns that frame.
    """
    available = end - start + 1
    most = _round_down_to_even(min(policy.max_frames, available))
    count = _round_down_to_even(min(max(policy.fps * available / fps, policy.min_frames), most))
    return _space_evenly(start, end, max(1, count))


def _select_linspace(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select `policy.max_frames` frames, evenly spaced and truncated, first and last included."""
    steps = np.linspace(0, end - start, policy.max_frames, dtype=int)
    return tuple(start + int(step) for step in steps)


def _select_segments(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select the middle frame of each of `policy.max_frames` equal segments."""
    length = (end - start) / policy.max_frames
    return tuple(
        int(start + length / 2 + round(length * segment)) for segment in range(policy.max_frames)
    )


def _select_per_second(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select `policy.fps` frames per whole second, evenly spaced and truncated, ends included.

    The publisher fails on a video of less than a second; here it gives one frame.
    """
    available = end - start + 1
    count = min(int(policy.fps * _whole_seconds(available, fps)), policy.max_frames, available)
    steps = np.linspace(0, available - 1, max(1, count), dtype=int)
    return tuple(start + int(step) for step in steps)


def _select_middles(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select the frame half way between the rounded borders of equal segments."""
    length = (end - start) / policy.max_frames
    borders = [round(length * segment) for segment in range(policy.max_frames + 1)]
    return tuple(start + (one + two) // 2 for one, two in pairwise(borders))


def _select_inner(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select the inner points that cut the frames into `policy.max_frames` + 1 equal parts."""
    step = (end - start + 1) / (policy.max_frames + 1)
    return tuple(start + int(point * step) for point in range(1, policy.max_frames + 1))


def _select_stride(policy: FramePolicy, start: int, end: int, fps: float) -> tuple[int, ...]:
    """Select every k-th frame, so that there are as many as whole seconds, up to the most.

    The publisher takes no frame of a video of less than a second; here it gives one.
    """
    available = end - start + 1
    count = max(1, min(policy.max_frames, _whole_seconds(available, fps), available))
    step = int(available / count)
    return tuple(start + step * number for number in range(count))


def _whole_seconds(frames: int, fps: float) -> int:
    """Return how many whole seconds frames last; rounding noise does not cost a second."""
    return int(round(frames / fps, 6))


_Rule = Callable[[FramePolicy, int, int, float], tuple[int, ...]]
_RULES: Mapping[FrameRule, _Rule] = MappingProxyType(
    {
        FrameRule.VIDEO_R1: _select_video_r1,
        FrameRule.LINSPACE: _select_linspace,
        FrameRule.SEGMENTS: _select_segments,
        FrameRule.PER_SECOND: _select_per_second,
        FrameRule.MIDDLES: _select_middles,
        FrameRule.INNER: _select_inner,
        FrameRule.STRIDE: _select_stride,
    }
)


def _space_evenly(start: int, end: int, count: int) -> tuple[int, ...]:
    """Space `count` whole numbers evenly from `start` to `end`, both included."""
    return tuple(start + int(step) for step in np.linspace(0, end - start, count).round())


def _round_down_to_even(count: float) -> int:
    return int(count // 2) * 2
