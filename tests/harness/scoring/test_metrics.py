"""Mean relative accuracy of two sources, and Video-R1's comparison of written numbers."""

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.metrics import (
    mean_relative_accuracy,
    mean_relative_accuracy_strict,
    numerical_match,
)

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("predicted", "target", "official", "strict"),
    [
        (3, 3, 1.0, 1.0),
        (3, 4, 0.6, 0.5),
        (1, 2, 0.1, 0.0),
        (3, 2, 0.1, 0.0),
        (7, 10, 0.5, 0.4),
        (9, 10, 0.9, 0.9),  # 0.1 <= 1 - 0.9 holds; in float32 0.1 < 1 - 0.9 holds as well
        (2, 2.5, 0.6, 0.6),  # 0.2 <= 1 - 0.8 fails in float64 although it is true on paper
        (0.9, 0.6, 0.0, 0.1),
        (0, 3, 0.0, 0.0),
        (6, 3, 0.0, 0.0),
        (-3, 3, 0.0, 0.0),
        (1e300, 3, 0.0, 0.0),
    ],
)
def test_boundary_cases_of_mean_relative_accuracy(
    predicted: float, target: float, official: float, strict: float
) -> None:
    """Both rules give the scores that their sources gave when they were executed."""
    assert mean_relative_accuracy(predicted, target) == official
    assert mean_relative_accuracy_strict(predicted, target) == strict


def test_there_are_ten_thresholds() -> None:
    """Every multiple of a tenth is a score and nothing between is."""
    scores = {mean_relative_accuracy(100 + error, 100) for error in range(60)}
    assert scores == {tenths / 10 for tenths in range(11)}


def test_the_two_rules_differ_on_28_of_465_small_counts() -> None:
    """For counts 1 to 15 and answers 0 to 30 Video-R1's rule gives a tenth less 28 times."""
    pairs = [(p, t) for t in range(1, 16) for p in range(31)]
    losses = [
        mean_relative_accuracy(*pair) - mean_relative_accuracy_strict(*pair) for pair in pairs
    ]
    assert len(pairs) == 465
    assert [round(loss, 12) for loss in losses if loss] == [0.1] * 28


@pytest.mark.parametrize("target", range(2, 60, 2))
def test_an_error_of_half_the_target_scores_a_tenth_or_nothing(target: int) -> None:
    """Half and one and a half times an even target sit on the lowest threshold."""
    for predicted in (target / 2, 3 * target / 2):
        assert mean_relative_accuracy(predicted, target) == 0.1
        assert mean_relative_accuracy_strict(predicted, target) == 0.0


def test_decimals_differ_in_either_direction() -> None:
    """With one decimal about one pair in a hundred differs, some of them in Video-R1's favour."""
    pairs = [(p / 10, t / 10) for t in range(1, 100) for p in range(200)]
    gaps = [mean_relative_accuracy(*pair) - mean_relative_accuracy_strict(*pair) for pair in pairs]
    assert 0.005 < sum(gap != 0 for gap in gaps) / len(pairs) < 0.02
    assert min(gaps) < 0 < max(gaps)


def test_a_target_of_zero_has_no_relative_error() -> None:
    """The official rule is undefined at 0; Video-R1's small constant makes every answer wrong."""
    with pytest.raises(ValueError, match="target of 0"):
        mean_relative_accuracy(0.0, 0.0)
    assert mean_relative_accuracy_strict(1.0, 0.0) == 0.0


@given(finite, finite.filter(bool))
def test_any_two_numbers_have_a_score(predicted: float, target: float) -> None:
    """Scores are tenths from 0 to 1 and numbers beyond float32 raise no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = (
            mean_relative_accuracy(predicted, abs(target)),
            mean_relative_accuracy_strict(predicted, target),
        )
    assert all(math.isclose(score * 10, round(score * 10)) for score in scores)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("predicted", "gold", "match"),
    [
        ("3", "3", True),
        ("3", "4", False),
        ("0.2857", "0.286", True),
        ("12.97", "12.97", True),
        ("12.970", "12.97", True),
        ("12.98", "12.97", False),
        ("3", "3.0", False),  # a decimal mark on one side only
        ("3.0", "3", False),
        ("7,243,000", "7243000", False),
        ("7,243,000", "7243000.0", True),
        ("The answer is 12.970", "12.97", None),
        ("360 degrees", "360", None),
        ("", "3", None),
    ],
)
def test_written_numbers_agree_after_rounding(
    predicted: str, gold: str, match: bool | None
) -> None:
    """Two decimals count, a mark on one side only is a mismatch, words are no number."""
    assert numerical_match(predicted, gold) is match
