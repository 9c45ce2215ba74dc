"""Rates and places from the times of frames, by hand."""

from __future__ import annotations

import pytest

from harness.errors import MediaError
from harness.video.timeline import (
    fill_gaps,
    frame_rate,
    is_regular,
    join_restarts,
    nearest_frame,
)


def at(rate: float, frames: int) -> list[float]:
    return [place / rate for place in range(frames)]


@pytest.mark.parametrize(
    ("times", "claimed", "expected"),
    [
        (at(25, 100), 25.0, 25.0),
        (at(30000 / 1001, 300), 30000 / 1001, 30000 / 1001),
        (at(25, 100), 25.005, 25.005),  # the last frame may last a little less
        (at(25, 100), 1000.0, 25.0),  # a time base, not a rate
        (at(25, 100), None, 25.0),
        (at(25, 100), 50.0, 25.0),
        ([0.0, 1.0], 30.0, 1.0),
        ([0.0, 0.1, 0.2, 3.2], 1.0, 1.0),  # four frames in 4 s: the last one lasts 0.8 s
        ([0.0], 30.0, 30.0),
        ([0.0], None, None),
        ([0.0, 0.0], None, None),
    ],
)
def test_a_header_is_believed_where_the_times_agree(times, claimed, expected):
    """Otherwise the rate is that of the times: frames less one over their length."""
    found = frame_rate(times, claimed)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-9))
    assert expected != claimed or found == claimed


def test_regular_means_within_half_a_frame():
    """At ten a second, 0.04 s off is regular and 0.06 s is not."""
    assert is_regular([5.0, 5.1, 5.24], 10.0)
    assert not is_regular([5.0, 5.1, 5.26], 10.0)


@pytest.mark.parametrize(
    ("seconds", "frame"), [(-1.0, 0), (0.4, 0), (0.5, 0), (0.6, 1), (2.0, 1), (3.6, 3), (99.0, 3)]
)
def test_the_nearest_frame(seconds, frame):
    """Frames at 0, 1, 5 and 5 with a doubled time: of two at one distance the first."""
    assert nearest_frame([0.0, 1.0, 3.1, 4.0], seconds) == frame
    assert nearest_frame([0.0, 1.0, 5.0, 5.0], 5.0) == 2


def test_missing_times_lie_between_those_beside_them():
    """Steps of 4 before the first and behind the last known time."""
    assert fill_gaps([None, 10, None, None, 40, None], 4.0) == [6, 10, 20, 30, 40, 44]
    assert fill_gaps([None, None, None], 4.0) == [0, 4, 8]
    assert fill_gaps([3, 3, 5], None) == [3, 3, 5]


def test_times_that_are_no_clock_are_refused():
    """They decrease, or there are none and no rate."""
    with pytest.raises(MediaError, match="table of times is damaged"):
        fill_gaps([0, 2, 1], 1.0)
    with pytest.raises(MediaError, match="no frame rate"):
        fill_gaps([None], None)


def test_a_clock_that_is_set_back_goes_on():
    """Two recordings, one behind the other, 4 apart; an equal time is no restart."""
    assert join_restarts([8, 12, None, 16, 8, 12, 12], 4.0) == [8, 12, None, 16, 20, 24, 24]
