"""Means and their uncertainty, against numbers worked by hand."""

import math

import pytest

from harness.stats import clustered_estimate, t_interval, tree_weights, wilson


def test_plain_mean_has_the_clustered_error_of_the_formula():
    """Four items in two videos: totals of residuals are +1 and -1, so SE = sqrt(2 * 2) / 4."""
    estimate = clustered_estimate([1, 1, 0, 0], ["a", "a", "b", "b"])
    assert estimate.mean == 0.5
    # residuals +.5 +.5 | -.5 -.5 -> totals 1, -1 -> sqrt(2/1 * (1 + 1)) / 4 = 0.5
    assert estimate.se == pytest.approx(0.5, abs=1e-12)
    assert (estimate.n, estimate.n_clusters) == (4, 2)


def test_items_in_their_own_cluster_give_the_usual_standard_error():
    """With one question per video the clustered error is s / sqrt(n)."""
    values = [1, 0, 0, 1, 1]
    estimate = clustered_estimate(values, list("abcde"))
    s = math.sqrt(sum((v - 0.6) ** 2 for v in values) / 4)
    assert estimate.se == pytest.approx(s / math.sqrt(5), abs=1e-12)


def test_opposite_answers_within_a_video_cancel():
    """Items that balance inside every video leave no uncertainty between videos."""
    estimate = clustered_estimate([1, 0, 1, 0], ["a", "a", "b", "b"])
    assert estimate.se == 0.0


def test_one_cluster_has_no_standard_error():
    """One video says nothing about the others: None, never 0."""
    estimate = clustered_estimate([1, 0, 1], ["a", "a", "a"])
    assert estimate.se is None
    assert estimate.ci95 is None


def test_no_items_is_an_error():
    """A mean of nothing is refused."""
    with pytest.raises(ValueError, match="at least one item"):
        clustered_estimate([], [])


def test_tree_weights_are_unweighted_means_at_each_level():
    """Two leaves under one branch share its half; items share their leaf."""
    paths = [("dir", "easy"), ("dir", "easy"), ("dir", "hard"), ("count",)]
    assert tree_weights(paths).tolist() == [0.125, 0.125, 0.25, 0.5]


def test_macro_mean_and_its_error_follow_the_tree():
    """Macro mean over two types of unequal size: (1/2 + 0) / 2, residuals weighted 1/4 and 1/2."""
    estimate = clustered_estimate([1, 0, 0], ["a", "b", "c"], [("x",), ("x",), ("y",)])
    assert estimate.mean == 0.25
    # influence +1/8, -1/8, 0 -> sqrt(3/2 * 2/64)
    assert estimate.se == pytest.approx(math.sqrt(1.5 * 2 / 64), abs=1e-12)


def test_t_interval_uses_clusters_minus_one_degrees_of_freedom():
    """t(0.975, 4) = 2.776445, and the interval stays inside [0, 1]."""
    low, high = t_interval(0.5, 0.1, 5)
    assert (low, high) == pytest.approx((0.5 - 0.2776445, 0.5 + 0.2776445), abs=1e-6)
    assert t_interval(0.95, 0.1, 5)[1] == 1.0


def test_all_items_equal_gives_a_wilson_interval_over_videos():
    """Ten videos all right: lower bound 1 / (1 + z^2 / 10) = 0.7225, not 1."""
    estimate = clustered_estimate([1] * 10, list("abcdefghij"))
    assert estimate.ci95 == pytest.approx((0.722467, 1.0), abs=1e-5)
    assert wilson(0.5, 100) == pytest.approx((0.403832, 0.596168), abs=1e-5)
