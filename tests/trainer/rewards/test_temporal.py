"""Rewards for the order of frames by hand; test_rewards.py has the published bonus."""

import math

import pytest

from trainer.config.choices import GroupAccuracy
from trainer.config.variants import EvidenceRewardSettings, GapRewardSettings
from trainer.rewards.completions import ScoredCompletion
from trainer.rewards.temporal import evidence_share, order_evidence, temporal_gap

PLAIN = EvidenceRewardSettings(evidence_floor=0.0, evidence_clip=0.5)
FLOORED = EvidenceRewardSettings(evidence_floor=0.1, evidence_clip=0.5)


def completion(accuracy, log_ratio=None):
    return ScoredCompletion(
        text="", tokens=3, truncated=False, accuracy=accuracy, log_ratio=log_ratio
    )


@pytest.mark.parametrize(
    ("ratio", "plain", "floored"),
    [
        (-3.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1e-6, 2e-6, 0.0), (0.1, 0.2, 0.0), (0.3, 0.6, 0.5),
        (0.5, 1.0, 1.0), (7.0, 1.0, 1.0),
    ],
)  # fmt: skip
def test_evidence_grows_from_the_floor_to_the_clip(ratio, plain, floored):
    """(clip(d, f, c) - f) / (c - f); a ratio below the floor is exactly nothing."""
    assert evidence_share(ratio, PLAIN) == pytest.approx(plain, rel=1e-9, abs=0)
    assert evidence_share(ratio, FLOORED) == pytest.approx(floored, rel=1e-9, abs=0)


def test_wrong_answers_earn_no_evidence():
    """Nor does one at tau; a graded answer above it earns like a right one."""
    group = [completion(1.0, 0.3), completion(0.0), completion(0.5), completion(0.6, 0.5)]
    assert order_evidence(group, PLAIN) == pytest.approx([0.6, 0.0, 0.0, 1.0])


def test_evidence_does_not_apply_where_there_is_no_other_order():
    """A right answer without a ratio: a video of one frame."""
    assert all(map(math.isnan, order_evidence([completion(1.0), completion(0.0)], PLAIN)))
    assert order_evidence([completion(0.0)] * 2, PLAIN) == [0.0, 0.0]


def test_the_gap_is_paid_to_right_answers_and_not_below_zero():
    """3 of 4 against 1 of 2: 0.25; a tie and less pay nothing; any number of shuffled answers."""
    settings = GapRewardSettings()
    assert temporal_gap([1, 1, 1, 0], [1, 0], settings) == [0.25, 0.25, 0.25, 0.0]
    assert temporal_gap([1, 0], [1, 0, 0, 1], settings) == [0.0, 0.0]
    assert temporal_gap([1, 0], [1, 1, 1], settings) == [0.0, 0.0]
    assert temporal_gap([1, 1], [0] * 7, settings) == [1.0, 1.0]


def test_the_gap_may_be_that_of_mean_accuracies():
    """0.8 and 0.4 against 0.2 and 0.4: 0.6 - 0.3, for the one above tau."""
    settings = GapRewardSettings(group_accuracy=GroupAccuracy.MEAN)
    assert temporal_gap([0.8, 0.4], [0.2, 0.4], settings) == pytest.approx([0.3, 0.0])
