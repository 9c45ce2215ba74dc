"""Rewards for order in a toy in which a shortcut tempts: the table of docs/temporal_bonus.md."""

from statistics import fmean

import pytest

from tests.trainer.rewards.toy_policy import share_of_sight


def mean_sight(kind, shortcut):
    return fmean(share_of_sight(kind, shortcut, seed) for seed in (0, 1))


def test_the_published_bonus_leaves_the_policy_where_grpo_takes_it():
    """To the third digit, where the shortcut is right in 90 % of the rows: both lose sight."""
    grpo, published = mean_sight("grpo", 0.9), mean_sight("published", 0.9)
    assert published == pytest.approx(grpo, abs=1e-3)
    assert grpo < 0.5


def test_evidence_keeps_sight_where_a_shortcut_pays():
    """And where there is none it costs nothing."""
    assert mean_sight("evidence", 0.9) == pytest.approx(0.986, abs=0.01)
    assert share_of_sight("evidence", 0.0, 0) == pytest.approx(
        share_of_sight("grpo", 0.0, 0), abs=0.01
    )


@pytest.mark.parametrize("kind", ["gap", "unscaled", "contrast"])
def test_a_bonus_for_a_whole_group_does_not_keep_it(kind):
    """It pays the shortcut's right answers as much as those by sight."""
    assert share_of_sight(kind, 0.9, 0) < 0.6
