"""Means and their uncertainty, against numbers worked by hand."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from harness.stats import (
    bounds,
    clustered_estimate,
    holm,
    items_needed,
    minimum_detectable_effect,
    p_above,
    p_below,
    paired_difference,
    sign_flip_p,
    t_interval,
    tree_weights,
    wilson,
)
from tests.bench.bench_gate import DOMINATED, SHAPES, Shape, measure


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


def _scores(n, seed):
    """Return graded scores of two models that often agree."""
    generator = np.random.default_rng(seed)
    base = generator.random(n)
    return base, np.clip(base + generator.normal(-0.02, 0.2, n), 0, 1)


def test_a_paired_difference_sums_each_video_before_squaring():
    """Differences -1, -1 | 0, 0 | 0, -1 in three videos: mean -1/2, hand-computed error."""
    base, candidate = [1, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0]
    difference = paired_difference(base, candidate, list("aabbcc"))
    assert difference.mean == -0.5
    # residuals -.5 -.5 | .5 .5 | .5 -.5 -> totals -1, 1, 0 -> sqrt(3/2 * 2) / 6 = sqrt(3) / 6
    assert difference.se == pytest.approx(math.sqrt(3) / 6, abs=1e-12)
    assert (difference.n, difference.n_clusters) == (6, 3)


def test_one_question_per_video_is_the_paired_t_test():
    """Mean, p value and bound are those of scipy's paired t test."""
    base, candidate = _scores(40, seed=1)
    difference = paired_difference(base, candidate, [str(n) for n in range(40)])
    expected = scipy_stats.ttest_rel(candidate, base, alternative="less")
    assert p_below(difference, 0.0) == pytest.approx(expected.pvalue, abs=1e-10)
    upper = expected.confidence_interval(0.95).high
    assert bounds(difference, 0.05)[1] == pytest.approx(upper, abs=1e-10)
    two_sided = scipy_stats.ttest_rel(candidate, base).confidence_interval(0.95)
    assert difference.ci95 == pytest.approx((two_sided.low, two_sided.high), abs=1e-10)


def test_videos_of_equal_size_are_a_t_test_on_their_means():
    """With four questions per video only the video's mean difference counts."""
    base, candidate = _scores(80, seed=2)
    difference = paired_difference(base, candidate, [str(n // 4) for n in range(80)])
    means = (candidate - base).reshape(20, 4).mean(axis=1)
    assert difference.mean == pytest.approx(means.mean(), abs=1e-12)
    assert difference.se == pytest.approx(scipy_stats.sem(means), abs=1e-12)
    expected = scipy_stats.ttest_1samp(means, -0.1, alternative="greater").pvalue
    assert p_above(difference, -0.1) == pytest.approx(expected, abs=1e-10)


def test_the_macro_difference_adds_the_variances_of_separate_tasks():
    """Tasks without a common video: SE^2 = sum of SE_t^2 / T^2, up to the factor C/(C-1)."""
    base, candidate = _scores(70, seed=3)
    paths = [("x",)] * 50 + [("y",)] * 20
    videos = [str(n) for n in range(70)]
    joint = paired_difference(base, candidate, videos, paths)
    parts = [
        (paired_difference(base[s], candidate[s], videos[s]), count)
        for s, count in ((slice(0, 50), 50), (slice(50, 70), 20))
    ]
    assert joint.mean == pytest.approx(sum(part.mean for part, _ in parts) / 2, abs=1e-12)
    variance = sum(part.se**2 * (count - 1) / count for part, count in parts) / 4
    assert joint.se == pytest.approx(math.sqrt(70 / 69 * variance), abs=1e-12)


def test_a_video_shared_by_two_tasks_counts_once():
    """Two tasks with the same differences on the same videos know no more than one of them."""
    base, candidate = [1, 1, 1, 1] * 2, [1, 0, 1, 0] * 2
    paths = [("x",)] * 4 + [("y",)] * 4
    one = paired_difference(base[:4], candidate[:4], list("abcd"))
    both = paired_difference(base, candidate, list("abcd") * 2, paths)
    assert both.se == pytest.approx(one.se, abs=1e-12)
    assert both.n_clusters == 4


def test_no_difference_anywhere_is_not_certainty():
    """No change in 24 videos: a share of 1 - .05^(1/24) = 11.7 % may still differ."""
    same = paired_difference([1.0] * 24, [1.0] * 24, [str(n) for n in range(24)])
    assert same.se == 0.0
    unseen = 1 - 0.05 ** (1 / 24)
    assert bounds(same, 0.05) == pytest.approx((-unseen, unseen), abs=1e-12)
    # the p values cross alpha exactly at the bounds
    assert p_above(same, -unseen) == pytest.approx(0.05, abs=1e-12)
    assert p_below(same, unseen) == pytest.approx(0.05, abs=1e-12)
    assert p_below(same, 0.0) == p_above(same, 0.0) == 1.0


def test_p_values_and_bounds_agree():
    """The p value is alpha exactly where the bound is."""
    base, candidate = _scores(30, seed=4)
    difference = paired_difference(base, candidate, [str(n // 3) for n in range(30)])
    low, high = bounds(difference, 0.05)
    assert p_above(difference, low) == pytest.approx(0.05, abs=1e-10)
    assert p_below(difference, high) == pytest.approx(0.05, abs=1e-10)


def test_one_video_gives_no_bound():
    """A difference over one video has no error, and asking for a bound is a mistake."""
    difference = paired_difference([1, 0], [0, 0], ["a", "a"])
    assert difference.se is difference.ci95 is None
    with pytest.raises(ValueError, match="at least two videos"):
        bounds(difference, 0.05)


def test_scores_of_different_items_are_no_pairs():
    """Lists of unequal length are refused."""
    with pytest.raises(ValueError, match="2 and 1 items"):
        paired_difference([1, 0], [1], ["a", "b"])


def test_flipping_signs_is_mcnemar_where_videos_have_one_question():
    """3 wins and 12 losses: the exact binomial p, within the error of 9,999 draws."""
    base, candidate = [0] * 3 + [1] * 12 + [1] * 20, [1] * 3 + [0] * 12 + [1] * 20
    clusters = [str(n) for n in range(35)]
    exact = scipy_stats.binomtest(3, 15, alternative="less").pvalue  # 576 / 2^15 = 0.01758
    drawn = sign_flip_p(base, candidate, clusters)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 9_999))
    assert drawn == sign_flip_p(base, candidate, clusters)


def test_flipping_signs_keeps_videos_together():
    """Two videos that both lost: 1 of the 4 sign patterns is as low, whatever their questions."""
    p = sign_flip_p([1] * 6, [0] * 6, list("aaabbb"))
    assert p == pytest.approx(1 / 4, abs=0.02)
    assert sign_flip_p([1, 1], [1, 1], ["a", "b"]) == 1.0


def test_the_detectable_effect_is_quantiles_times_the_error_under_the_drop():
    """m = (t(.95, 19) + t(.80, 19)) * sqrt(SE^2 + D (1 - D) / 20), with a power of 80 %."""
    base, candidate = _scores(20, seed=5)
    difference = paired_difference(base, candidate, [str(n) for n in range(20)])
    t = scipy_stats.t(19).ppf
    for margin in (0.0, 0.02):
        mde = minimum_detectable_effect(difference, alpha=0.05, power=0.8, margin=margin)
        drop = margin + mde
        error = math.sqrt(difference.se**2 + drop * (1 - drop) / 20)
        assert mde == pytest.approx((t(0.95) + t(0.8)) * error, rel=1e-10)
        assert scipy_stats.nct.sf(t(0.95), 19, mde / error) == pytest.approx(0.8, abs=0.005)


def test_the_error_is_discordance_times_design_effect_over_items():
    """1,000 items in their own videos, 50 wins, 50 losses: m = 2.486 sqrt((.1 + m - m^2) / 1000).

    With 2.486^2 / 1000 = .0061826 this is m^2 = .00061826 + .0061826 (m - m^2), so m = .02805.
    """
    changes = np.array([1.0] * 50 + [-1.0] * 50 + [0.0] * 900)
    base = np.where(changes < 0, 1.0, 0.0)
    alone = paired_difference(base, base + changes, [str(n) for n in range(1000)])
    mde = minimum_detectable_effect(alone, alpha=0.05, power=0.8)
    assert mde == pytest.approx(0.02805, rel=3e-3)
    # every question asked twice of the same video: twice the items, the same information
    twice = paired_difference(
        np.repeat(base, 2), np.repeat(base + changes, 2), [str(n // 2) for n in range(2000)]
    )
    assert twice.se == pytest.approx(alone.se, rel=1e-12)


def test_items_needed_grow_with_the_inverse_square_of_the_margin():
    """((z + z) / m)^2 * n * SE^2, so half the margin needs four times the items."""
    base, candidate = _scores(50, seed=6)
    difference = paired_difference(base, candidate, [str(n) for n in range(50)])
    z = scipy_stats.norm.ppf(0.95) + scipy_stats.norm.ppf(0.8)
    expected = math.ceil(50 * (z * difference.se / 0.01) ** 2)
    assert items_needed(difference, 0.01, alpha=0.05, power=0.8) == expected
    half = items_needed(difference, 0.005, alpha=0.05, power=0.8)
    assert half == pytest.approx(4 * expected, abs=4)
    assert items_needed(difference, 0.0, alpha=0.05, power=0.8) is None


def test_items_needed_without_any_change_follow_the_rule_of_three():
    """No change seen: ln(.05) / ln(.99) = 298.07 videos show a margin of one point."""
    same = paired_difference([1.0] * 10, [1.0] * 10, list("abcdefghij"))
    assert items_needed(same, 0.01, alpha=0.05, power=0.8) == 299


def test_the_effect_is_known_where_nothing_changed():
    """10 videos: q = 1.833 + 0.883, q^2 / 10 = 0.738, so m^2 = 0.738 m (1 - m) and m = 0.425."""
    same = paired_difference([1.0] * 10, [1.0] * 10, list("abcdefghij"))
    assert minimum_detectable_effect(same, alpha=0.05, power=0.8) == pytest.approx(0.4246, abs=1e-3)
    many = paired_difference([1.0] * 3000, [1.0] * 3000, [str(n) for n in range(3000)])
    assert minimum_detectable_effect(many, alpha=0.05, power=0.8) == pytest.approx(
        0.00206, abs=2e-5
    )


def test_no_effect_is_printed_where_no_drop_can_be_detected():
    """A single video, one with almost all the weight, and an accepted drop of everything."""
    one = paired_difference([1, 0], [0, 0], ["a", "a"])
    assert minimum_detectable_effect(one, alpha=0.05, power=0.8) is None
    heavy = paired_difference([1.0] * 1001, [0.0] + [1.0] * 1000, ["a"] + ["b"] * 1000)
    assert minimum_detectable_effect(heavy, alpha=0.05, power=0.8) is None
    base, candidate = _scores(20, seed=5)
    some = paired_difference(base, candidate, [str(n) for n in range(20)])
    assert minimum_detectable_effect(some, alpha=0.05, power=0.8, margin=1.0) is None


def test_videos_of_equal_weight_count_in_full_and_a_heavy_one_counts_little():
    """Shares of 1/4 give 4; shares of 1/2, 1/4 and 1/4 give 1 / sqrt(10/64) = 2.53."""
    even = clustered_estimate([1, 0, 1, 1] * 2, list("abcd") * 2)
    assert even.degrees == pytest.approx(3, abs=1e-12)
    uneven = clustered_estimate([1, 0, 1, 1], list("aabc"))
    assert uneven.degrees + 1 == pytest.approx(1 / math.sqrt(10 / 64), abs=1e-12)
    # the weight counts, not the number of questions: each of two types is worth a half
    types = clustered_estimate([1, 0, 1, 1], list("aaab"), [("x",), ("x",), ("x",), ("y",)])
    assert types.degrees + 1 == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("n", range(1, 60))
@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 3])
def test_an_interval_contains_its_score(n, value):
    """Rounding does not push the bound of an all-zero or all-one score past the score."""
    low, high = wilson(value, n)
    assert 0 <= low <= value <= high <= 1
    estimate = clustered_estimate([value] * 3 * n, [str(i // 3) for i in range(3 * n)])
    if estimate.ci95 is not None:
        assert estimate.ci95[0] <= estimate.mean <= estimate.ci95[1]


def test_holm_multiplies_by_the_tests_left_and_never_falls():
    """Sorted .01 .03 .04 become 3*.01, 2*.03, max(.06, .04); the order given is kept."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], abs=1e-12)
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("sizes", [[1, 2, 3, 4, 10, 20, 20], [12] * 5])
def test_the_clustered_error_is_that_of_statsmodels(sizes):
    """A regression on the constant alone with cluster-robust covariance, videos of any size.

    Its interval has C-1 degrees of freedom, ours too if the videos have equal sizes.
    """
    values, other = _scores(60, seed=7)
    videos = [str(video) for video, size in enumerate(sizes) for _ in range(size)]
    groups = {"groups": np.array(videos).astype(int)}
    for scores, ours in (
        (values, clustered_estimate(values, videos)),
        (other - values, paired_difference(values, other, videos)),
    ):
        fit = OLS(scores, np.ones(60)).fit(cov_type="cluster", cov_kwds=groups, use_t=True)
        assert ours.mean == pytest.approx(fit.params[0], abs=1e-10)
        assert ours.se == pytest.approx(fit.bse[0], abs=1e-10)
        half = scipy_stats.t(ours.degrees).ppf(0.975) * fit.bse[0]
        wanted = (max(-1.0, ours.mean - half), min(1.0, ours.mean + half))
        assert ours.ci95 == pytest.approx(wanted, abs=1e-10)
        if len(set(sizes)) == 1:
            assert ours.ci95 == pytest.approx(tuple(fit.conf_int(0.05)[0]), abs=1e-10)


def test_holm_and_wilson_are_those_of_statsmodels():
    """Adjusted p values, and the interval of a share."""
    p_values = [0.004, 0.2, 0.03, 0.011, 0.6, 0.03]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-10)
    assert wilson(0.3, 40) == pytest.approx(proportion_confint(12, 40, method="wilson"), abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES[:5], ids=lambda shape: shape.name)
@pytest.mark.slow
def test_false_alarms_and_the_printed_effect_are_honest(shape):
    """Small simulation: alarms near 5 %, the detectable effect called near 80 % of the time.

    300 repetitions have standard errors of 1.3 and 2.3 points; ``tests/bench/bench_gate.py`` is
    the same with 1,000.
    """
    rates = measure(shape, repetitions=300, seed=11)
    assert 0.015 <= rates.false_alarms <= 0.085
    assert min(rates.power) >= 0.73
    assert max(rates.power) <= 0.89
    if max(shape.sizes) == 18 and shape.score == 0.6:
        assert rates.unclustered > 2 * rates.false_alarms


def test_the_printed_effect_is_detected_near_the_ceiling():
    """300 questions at 98 %: four of five drops as large as the printed effect, and the margin.

    Without the variance of the drop itself it is 60 % and 49 %.
    """
    rates = measure(Shape.even(300, 1, 0.98), repetitions=300, seed=5)
    assert min(rates.power) >= 0.73
    assert max(rates.power) <= 0.89


def test_a_video_with_a_third_of_the_questions_causes_no_false_alarms():
    """With C-1 degrees of freedom 12 % of equal pairs are called REGRESSION, and 88 % covered."""
    rates = measure(DOMINATED, repetitions=400, seed=3)
    assert rates.false_alarms <= 0.07
    assert rates.covered >= 0.93
