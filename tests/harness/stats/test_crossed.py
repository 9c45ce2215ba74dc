"""Means over clips and seeds: worked numbers, and intervals that cover."""

import numpy as np
import pytest
from scipy.special import stdtrit

from harness.stats import clustered_estimate, crossed_estimate


def test_two_seeds_by_three_clips_by_hand() -> None:
    """Rows [1 0 1] and [1 1 1]; the interval is over new clips and new seeds.

    Mean 5/6. Means of seeds 2/3 and 1: MS_seeds = 3 ((1/6)^2 + (1/6)^2) / 1 = 1/6. Means of clips
    1, 1/2, 1: MS_clips = 2 (2 (1/6)^2 + (1/3)^2) / 2 = 1/6. Rest: every deviation is +-1/6 or
    +-1/3, sum of squares 4/36 + 2/9 = 1/3, over (1)(2): MS_rest = 1/6. So seeds add nothing to
    what is left over, and the variance is (1/6 + 0) / 6 with two degrees of freedom.
    """
    estimate = crossed_estimate([[1, 0, 1], [1, 1, 1]])
    assert estimate.mean == pytest.approx(5 / 6)
    assert estimate.se == pytest.approx(1 / 6)
    half = stdtrit(2, 0.975) / 6
    assert estimate.ci95 == pytest.approx((5 / 6 - half, 5 / 6 + half))


def test_seeds_that_differ_widen_the_interval() -> None:
    """Two seeds that differ by 1/2 on every clip: all variance is theirs, one degree of freedom.

    Rows [0 0] and [1/2 1/2]: MS_seeds = 2 (1/16 + 1/16) / 1 = 1/4, the others 0; variance
    (1/4) / 4 = 1/16, and Satterthwaite's degrees of freedom are (1/4)^2 / ((1/4)^2 / 1) = 1.
    """
    estimate = crossed_estimate([[0, 0], [0.5, 0.5]])
    assert estimate.se == pytest.approx(1 / 4)
    half = stdtrit(1, 0.975) / 4
    assert estimate.ci95 == pytest.approx((1 / 4 - half, 1 / 4 + half))


def test_one_seed_is_the_estimate_clustered_by_clip() -> None:
    """The same standard error as everywhere else in the project."""
    values = [1.0, 0.0, 0.5, 1.0, 0.0, 0.5, 1.0]
    one, usual = crossed_estimate([values]), clustered_estimate(values, [str(n) for n in range(7)])
    assert (one.mean, one.se) == pytest.approx((usual.mean, usual.se))


def test_where_nothing_differs_the_interval_is_not_empty() -> None:
    """All right on 20 clips does not mean right on all clips."""
    estimate = crossed_estimate(np.ones((3, 20)))
    assert estimate.se == 0
    assert estimate.ci95 is not None
    assert estimate.ci95[0] < 0.9


def test_one_clip_is_refused() -> None:
    """It says nothing about others."""
    with pytest.raises(ValueError, match="at least two"):
        crossed_estimate([[1.0], [0.0]])


@pytest.mark.parametrize("between_seeds", [0.0, 0.05])
def test_intervals_cover_the_truth(between_seeds: float) -> None:
    """With three seeds and 100 clips the true mean is inside in at least 92 of 100 experiments."""
    rng, inside, repeats = np.random.default_rng(0), 0, 600
    for _ in range(repeats):
        seeds = rng.normal(0, between_seeds, (3, 1))
        clips = rng.normal(0, 0.3, (1, 100))
        table = 0.5 + seeds + clips + rng.normal(0, 0.2, (3, 100))
        low, high = crossed_estimate(table).ci95 or (0, 0)
        inside += low <= 0.5 <= high
    assert inside >= 0.92 * repeats
