"""Advantages and what a reward does to them: by hand, and the bonus that a deviation cancels."""

import numpy as np
import pytest

from trainer.rewards.advantages import (
    AdvantageRule,
    UpdateRewards,
    contrast_advantages,
    effect,
    effect_of_rewards,
    group_advantages,
)

ALPHA = 0.3
NAMES = ("accuracy", "format_reward", "length_bonus", "temporal_bonus")
WEIGHTS = [1.0, 1.0, 0.2, ALPHA]
NAN = float("nan")


def answers(right, wrong=0, *, bonus=True, length=0.0, form=1.0):
    """Rewards of a group: `right` right answers, then `wrong` wrong ones."""
    earned = [[1.0, form, length, float(bonus)]] * right
    return np.array(earned + [[0.0, form, 0.0, 0.0]] * wrong)


def both(table, scale, size=8, weights=WEIGHTS):
    """Return the advantages with the temporal bonus and without it."""
    rule = AdvantageRule(size=size, scale_rewards=scale)
    without = [*weights[:3], 0.0]
    return group_advantages(table, weights, rule), group_advantages(table, without, rule)


def update(*groups, shuffled=(), failed=None):
    return UpdateRewards(
        names=NAMES,
        ordered=np.concatenate(groups),
        shuffled=tuple(shuffled) or (np.zeros((0, len(NAMES))),) * len(groups),
        failed=failed or (False,) * len(groups),
    )


def test_four_of_eight_right_under_every_scaling():
    """Sums 2.3 or 2, and 1. Half right: std = sqrt(8/7 / 4) = 0.534522 per unit of their distance.

    group: 0.65 / (1.3 * 0.534522 + 1e-4) = 0.935280 with, 0.5 / 0.534622 = 0.935239 without.
    none: +-0.65 with, +-0.5 without. batch of this one group: as group.
    """
    table = answers(4, 4)
    for scale, values in {
        "group": (0.935280, 0.935239), "batch": (0.935280, 0.935239), "none": (0.65, 0.5),
    }.items():  # fmt: skip
        for found, value in zip(both(table, scale), values, strict=True):
            assert found == pytest.approx([value] * 4 + [-value] * 4, abs=2e-6), scale


def test_a_batch_has_one_deviation():
    """A group with 2 of 4 right that earns the bonus and one with 1 of 4 that does not. With the
    bonus the sums are 2.3 2.3 1 1 and 2 1 1 1, their mean 1.45 and variance (2 * 0.7225 + 0.3025
    + 5 * 0.2025) / 7 = 0.394286; without it 1.375 and (3 * 0.390625 + 5 * 0.140625) / 7 = 0.267857.
    """
    table = np.concatenate([answers(2, 2), answers(1, 3, bonus=False)])
    with_bonus, without = both(table, "batch", size=4)
    deviations = 0.394286**0.5 + 1e-4, 0.267857**0.5 + 1e-4
    assert with_bonus * deviations[0] == pytest.approx(
        [0.65, 0.65, -0.65, -0.65, 0.75, -0.25, -0.25, -0.25], abs=1e-5
    )
    assert without * deviations[1] == pytest.approx(
        [0.5, 0.5, -0.5, -0.5, 0.75, -0.25, -0.25, -0.25], abs=1e-5
    )


@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_deviation_of_a_group_cancels_what_every_right_answer_earns(size):
    """Any number of right answers, with 0-or-1 accuracy and one format: the advantages differ by
    the 1e-4 that is added to the deviation, less than one part in a thousand. Any alpha."""
    for right in range(size + 1):
        table = answers(right, size - right)
        for alpha in (0.3, 3.0):
            with_bonus, without = both(table, "group", size, [1.0, 1.0, 0.2, alpha])
            assert with_bonus == pytest.approx(without, rel=1e-3, abs=1e-12)
            if 0 < right < size:
                unscaled, plain = both(table, "none", size, [1.0, 1.0, 0.2, alpha])
                assert unscaled == pytest.approx((1 + alpha) * plain)


def test_groups_without_spread_and_failed_groups_have_no_advantage():
    """All right, all wrong, and a group whose media could not be decoded; the others are as alone,
    and a reward that does not apply (an image's bonus) adds nothing."""
    failed = np.full((4, 4), NAN)
    image = answers(2, 2)
    image[:, 3] = NAN
    alone, _ = both(answers(2, 2, bonus=False), "group", size=4)
    table = np.concatenate([answers(4), answers(0, 4), failed, image])
    for scale in ("group", "none", "batch"):
        found, _ = both(table, scale, size=4)
        assert found[:12] == pytest.approx(0, abs=1e-12)
        assert scale != "group" or found[12:] == pytest.approx(alone)


def test_the_effect_of_a_reward_on_one_group():
    """Without a deviation the bonus makes 0.65 of 0.5: a change of 30 %, in every group. With it
    the change is 4e-5, in none."""
    table = answers(4, 4)
    found = effect(*both(table, "none"), [False])
    assert (found.change, found.groups) == (pytest.approx(0.3), 1.0)
    found = effect(*both(table, "group"), [False])
    assert found.change < 1e-4
    assert found.groups == 0


def test_the_effect_over_several_groups():
    """Changes of 0.3 * (0.5, 0.5) and of 0 against advantages of 0.5 and 0.25 or 0.75: of the norms
    sqrt(8 * 0.15 ** 2) = 0.424264 and sqrt(8 * 0.25 + 2 * 0.5625 + 6 * 0.0625) = 1.870829. A failed
    group counts for nothing."""
    groups = answers(4, 4), answers(2, 6, bonus=False), np.full((8, 4), NAN)
    found = effect(*both(np.concatenate(groups), "none"), [False, False, True])
    assert found.change == pytest.approx(0.424264 / 1.870829, abs=1e-6)
    assert found.groups == 0.5


def test_where_only_the_reward_tells_answers_apart_the_change_is_whole():
    """All right, half of them of the wanted length: without the bonus there is no advantage."""
    table = np.concatenate([answers(2, length=1.0), answers(2, length=0.0)])
    rule = AdvantageRule(size=4)
    effects = effect_of_rewards(
        update(table), WEIGHTS, lambda weights: group_advantages(table, weights, rule)
    )
    assert (effects["length_bonus"].change, effects["length_bonus"].groups) == (1.0, 1.0)
    assert effects["temporal_bonus"].change == 0
    assert set(effects) == {"format_reward", "length_bonus", "temporal_bonus"}


def test_a_reward_without_a_weight_has_no_effect_to_report():
    """The tiny recipes have a length weight of 0."""
    rule = AdvantageRule(size=4)
    table = answers(2, 2)
    effects = effect_of_rewards(
        update(table), [1.0, 1.0, 0.0, ALPHA], lambda w: group_advantages(table, w, rule)
    )
    assert set(effects) == {"format_reward", "temporal_bonus"}


@pytest.mark.parametrize(
    ("form", "length", "right", "change", "groups"),
    [
        (1.0, False, 0.6, 0.0, 0.0),
        (0.98, False, 0.6, 0.030, 0.145),
        (1.0, True, 0.6, 0.029, 0.865),
        (0.95, True, 0.3, 0.051, 0.64),
        (0.95, True, 0.6, 0.047, 0.91),
        (0.95, True, 0.9, 0.036, 0.69),
    ],
)
def test_the_bonus_acts_through_what_else_varies_in_a_group(form, length, right, change, groups):
    """The table of docs/temporal_bonus.md, of 1,000 groups of 8: an answer in a wrong form earns
    nothing, half of the right ones have the wanted length, every group earns the bonus."""
    rng = np.random.default_rng(0)
    shape = 1000, 8
    formed = rng.random(shape) < form
    good = (rng.random(shape) < right) & formed
    long = (rng.random(shape) < 0.5) & good & length
    columns = [one.astype(float) for one in (good, formed, long, good)]
    found = effect(*both(np.stack(columns, -1).reshape(-1, 4), "group"), [False] * 1000)
    assert found.change == pytest.approx(change, abs=0.006)
    assert found.groups == pytest.approx(groups, abs=0.04)


def shuffled(right, wrong):
    """Rewards of shuffled answers."""
    return answers(right, wrong, bonus=False)


def test_contrast_has_the_mean_and_deviation_of_both_groups():
    """3 of 4 ordered and 0 of 2 shuffled right, sums 2 and 1: mean 1.5, variance 6/5 * 0.25 = 0.3,
    advantages +-0.5 / (0.547723 + 1e-4) = 0.912704 where GRPO has 0.4999 and -1.4997. 0 of 4 and 2
    of 2: mean 4/3, variance 6/5 * 2/9, advantages -1/3 / 0.516498 = -0.645372. Ties of all: 0."""
    rewards = update(
        answers(3, 1, bonus=False), answers(0, 4), answers(4, bonus=False),
        shuffled=[shuffled(0, 2), shuffled(2, 0), shuffled(2, 0)],
    )  # fmt: skip
    found = contrast_advantages(rewards, WEIGHTS, AdvantageRule(size=4))
    assert found[:4] == pytest.approx([0.912704] * 3 + [-0.912704], abs=1e-5)
    assert found[4:8] == pytest.approx([-0.645372] * 4, abs=1e-4)
    assert found[8:] == pytest.approx(0, abs=1e-12)


def test_contrast_without_a_division_and_by_the_deviation_of_the_update():
    """Of the first group above +-0.5; divided by the deviation of all 12 answers, 7 of which have
    2: mean 1.583333, variance 12/11 * 7/12 * 5/12 = 0.265152."""
    groups = update(
        answers(3, 1, bonus=False), answers(4, bonus=False), shuffled=[shuffled(0, 2)] * 2
    )
    plain = contrast_advantages(groups, WEIGHTS, AdvantageRule(size=4, scale_rewards="none"))
    third = 1 / 3
    assert plain == pytest.approx([0.5] * 3 + [-0.5] + [third] * 4)
    whole = contrast_advantages(groups, WEIGHTS, AdvantageRule(size=4, scale_rewards="batch"))
    assert whole == pytest.approx(plain / (0.265152**0.5 + 1e-4), abs=1e-5)


def test_contrast_is_grpo_where_there_is_no_other_order():
    """An image has no shuffled answers; a failed group has neither, and no advantage."""
    tables = answers(3, 1, bonus=False), np.full((4, 4), NAN)
    rewards = update(*tables, failed=(False, True))
    for scale in ("group", "none"):
        rule = AdvantageRule(size=4, scale_rewards=scale)
        assert contrast_advantages(rewards, WEIGHTS, rule) == pytest.approx(
            group_advantages(rewards.ordered, WEIGHTS, rule)
        )


def test_shuffled_answers_add_no_bias_to_the_gradient():
    """A policy of two actions with the logit of 0.3, right with 0.8 and 0.1: the exact gradient of
    the expected reward is p (1 - p) (0.8 - 0.1). The mean over 2,000 groups of 8 ordered and 4
    shuffled answers, divided by 1 - 1/12 because an answer is in its own baseline, is that within
    three standard errors, and these are 5 %; GRPO's is it with 1 - 1/8. A baseline of the shuffled
    answers that depended on the ordered ones would be off by far more."""
    rng = np.random.default_rng(4)
    p, size, others, groups = 1 / (1 + np.exp(-0.3)), 8, 4, 2000
    exact = p * (1 - p) * (0.8 - 0.1)

    def answer(count, right):
        first = rng.random((groups, count)) < p
        return first, (rng.random((groups, count)) < np.where(first, *right)).astype(float)

    first, ordered = answer(size, (0.8, 0.1))
    _, other = answer(others, (0.3, 0.2))
    slope = np.where(first, 1 - p, -p)
    rule = AdvantageRule(size=size, scale_rewards="none")

    def gradient(shuffled, factor):
        rewards = UpdateRewards(
            names=("accuracy",),
            ordered=ordered.reshape(-1, 1),
            shuffled=tuple(one[:, None] for one in shuffled),
            failed=(False,) * groups,
        )
        found = contrast_advantages(rewards, [1.0], rule).reshape(groups, size)
        per_group = (found * slope).mean(axis=1) / factor
        return per_group.mean(), per_group.std(ddof=1) / groups**0.5

    for shuffled, factor in ((other, 11 / 12), (other[:, :0], 7 / 8)):
        mean, error = gradient(shuffled, factor)
        assert error < 0.05 * exact
        assert abs(mean - exact) < 3 * error
    dependent = np.repeat(ordered, 3, axis=1)  # as if the ordered answers were their own baseline
    mean, error = gradient(dependent, (size * 4 - 1) / (size * 4))
    assert abs(mean - exact) > 3 * error
