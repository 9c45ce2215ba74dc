"""Leases spread a benchmark over replicas within the bars, in simulated time."""

import pytest

from tests.bench.bench_replicas import SHAPES, one_process, simulate
from tests.bench.replica_model import draw

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work():
    """VSI-Bench with short answers, 5,130 questions on 288 videos."""
    return draw(SHAPES[0], seed=1)


@pytest.mark.parametrize(("replicas", "bar"), [(1, 0.99), (8, 0.95), (16, 0.9)])
def test_replicas_take_little_more_than_their_share_of_the_time_of_one_process(work, replicas, bar):
    """Each video is encoded once, and the driver takes less than a millisecond per item."""
    measured = simulate(work, (1.0,) * replicas)
    assert one_process(work) / replicas / measured.seconds > bar
    assert measured.encodings == len(work.videos)
    assert measured.driver_ms < 1.0


def test_a_replica_at_half_speed_does_not_halve_the_speed_of_all(work):
    """It gets fewer videos: eight replicas then do the work of seven and a half."""
    measured = simulate(work, (0.5,) + 7 * (1.0,))
    assert one_process(work) / 7.5 / measured.seconds > 0.85
