"""The value of an item that was answered several times, by hand and by counting subsets."""

import itertools
import random
from math import comb
from statistics import fmean

import pytest

from harness.stats.repeats import best_of_k, majority_value, pass_at_k


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (5, 2, 1, 0.4),  # 2 of 5
        (5, 2, 3, 0.9),  # 1 - C(3,3)/C(5,3) = 1 - 1/10; the plug-in 1 - 0.6**3 would say 0.784
        (5, 2, 4, 1.0),  # four of five cannot all be among the three wrong ones
        (5, 0, 5, 0.0),
        (5, 1, 5, 1.0),
        (1, 1, 1, 1.0),
        (10, 1, 2, 0.2),  # 1 - (9*8)/(10*9)
        (4, 1, 2, 0.5),  # 1 - 3/6
        (200, 3, 100, 1 - comb(197, 100) / comb(200, 100)),
    ],
)
def test_pass_at_k_is_chens_estimator(n, c, k, expected):
    """``1 - C(n-c, k) / C(n, k)``."""
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (3, 1, 0), (3, 1, 4), (3, 4, 1), (3, -1, 1)])
def test_counts_that_do_not_fit_are_refused(n, c, k):
    """More answers than there are, or more right ones."""
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(n, c, k)


def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer():
    """For every count up to six."""
    for n in range(1, 7):
        for c, k in itertools.product(range(n + 1), range(1, n + 1)):
            answers = [1] * c + [0] * (n - c)
            share = fmean(any(chosen) for chosen in itertools.combinations(answers, k))
            assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)


def test_best_of_k_is_the_mean_of_the_best_over_all_subsets():
    """Values between 0 and 1 as well; for 0 and 1 it is pass at k."""
    # {0.2, 0.5, 0.9}, pairs: best 0.5, 0.9, 0.9
    assert best_of_k([0.9, 0.2, 0.5], 2) == pytest.approx(2.3 / 3)
    draw = random.Random(0)
    for n in range(1, 7):
        values = [draw.random() for _ in range(n)]
        for k in range(1, n + 1):
            best = fmean(max(chosen) for chosen in itertools.combinations(values, k))
            assert best_of_k(values, k) == pytest.approx(best, abs=1e-12)
    assert best_of_k([0.0, 1.0, 0.0, 1.0, 0.0], 3) == pass_at_k(5, 2, 3)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("BBA", 1.0),
        ("AAB", 0.0),
        ("ABBAC", 0.5),  # A and B tie; the order of the answers does not decide
        ("BAABC", 0.5),
        ("ABC", 1 / 3),
        ("B", 1.0),
        ("--B", 1.0),  # no answer is no vote
        ("---", 0.0),
        ("-AAB-", 0.0),
    ],
)
def test_majority_shares_the_credit_of_a_tie(answers, expected):
    """Gold is B; the multiset of the answers alone decides."""
    votes = [(None if a == "-" else a, float(a == "B")) for a in answers]
    for order in itertools.permutations(votes):
        assert majority_value(order) == pytest.approx(expected)
