"""Computes frame rates and spans from the times of frames, which are the only clock of a clip.

The rate that a header claims is kept where the times agree with it, so that the frame rules select
what they always did; a header without a rate, or with a wrong one, is not believed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from harness.errors import MediaError

_TIME_DIGITS = 6
"""Times are whole microseconds, so that engines that count in them are told the same numbers."""
_JITTER_S = 0.001
"""Matroska rounds times to the millisecond."""


def round_time(seconds: float) -> float:
    """Return a time in seconds, rounded to the microsecond."""
    return round(seconds, _TIME_DIGITS)


def frame_rate(times: Sequence[float], claimed: float | None) -> float | None:
    """Return the mean frames per second of a video.

    Args:
        times: Presentation times in seconds, non-decreasing, at least one.
        claimed: The rate in the file's header, None if there is none.

    Returns:
        `claimed` if it leaves the last frame a plausible duration, otherwise the mean rate of the
        times. None if neither is known: a single frame, or all at one time.
    """
    length, steps = times[-1] - times[0], len(times) - 1
    if claimed and (steps == 0 or _fits(times, claimed)):
        return claimed
    return steps / length if length > 0 else None


def is_regular(times: Sequence[float], fps: float) -> bool:
    """Return whether every frame lies within half a frame of its place at a constant rate."""
    return all(abs(time - times[0] - place / fps) < 0.5 / fps for place, time in enumerate(times))


def nearest_frame(times: Sequence[float], seconds: float) -> int:
    """Return the index of the frame whose time is nearest; of two at one distance the first."""
    place = bisect_left(times, seconds)
    if place == 0:
        return 0
    if place == len(times):
        return bisect_left(times, times[-1])
    before, after = times[place - 1], times[place]
    return bisect_left(times, before) if seconds - before <= after - seconds else place


def fill_gaps(times: Sequence[int | None], step: float | None) -> list[int]:
    """Return times with missing ones put evenly between those beside them.

    Args:
        times: In any unit, in the order shown.
        step: The usual distance of two frames, used before the first and behind the last known
            time; None if it is not known.

    Raises:
        MediaError: Times decrease, so they are no clock, or `step` is needed and not known.
    """
    known = {place: time for place, time in enumerate(times) if time is not None}
    if list(known.values()) != sorted(known.values()):
        raise MediaError("the file's table of times is damaged")
    if len(known) == len(times):
        return list(known.values())
    if step is None:
        raise MediaError("the video stream has frames without a time, and no frame rate")
    known = known or {0: 0}
    first, last = min(known), max(known)
    inside = np.interp(range(len(times)), list(known), list(known.values()))
    outside = [min(place - first, 0) + max(place - last, 0) for place in range(len(times))]
    return [round(time + step * steps) for time, steps in zip(inside, outside, strict=True)]


def join_restarts(times: Sequence[int | None], step: float) -> list[int | None]:
    """Return times that go on, one `step` later, where a clock was set back (as ffmpeg does)."""
    joined: list[int | None] = []
    offset, latest = 0, None
    for time in times:
        if time is None:
            joined.append(None)
            continue
        if latest is not None and time + offset < latest:
            offset = latest + round(step) - time
        latest = time + offset
        joined.append(latest)
    return joined


def _fits(times: Sequence[float], claimed: float) -> bool:
    """Return whether the frames last as long as the header says, with the last one's duration.

    The last frame may be shown for no time, for two frames, or as long as any before it.
    """
    last = len(times) / claimed - (times[-1] - times[0])
    longest = max(after - before for before, after in pairwise(times))
    return -_JITTER_S <= last <= max(2 / claimed, longest) + _JITTER_S
