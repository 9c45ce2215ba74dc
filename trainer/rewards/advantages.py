"""Compute the advantages of completions from their rewards, and what a reward does to them.

The formulas are those of GRPO (arXiv 2402.03300) in TRL 1.16, which computes the advantages that
are trained on; tests hold both equal. An algorithm with other advantages passes its own function.

- ``scale_rewards = "group"``: A = (r - mean) / (std + 1e-4), mean and std of the group;
- ``"batch"``: the same with the std of all completions of the update;
- ``"none"``: A = r - mean.

r is the weighted sum of a completion's rewards. Rewards that do not apply are NaN and add nothing;
a completion without any (of a group whose media failed) is in no mean and has the advantage 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.rewards.rewards import accuracy

Array = NDArray[np.float64]

EPSILON = 1e-4
"""What is added to a standard deviation before a division."""
TURNED = 0.01
"""Relative change from which a group's advantages count as changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvantageRule:
    """How an update turns rewards into advantages: fields of TRL's `GRPOConfig`."""

    size: int
    """Completions of a group."""
    scale_rewards: str = "group"
    """``group``, ``batch`` or ``none``."""
    multi_objective_aggregation: str = "sum_then_normalize"
    """``sum_then_normalize``, or ``normalize_then_sum``: each reward is standardised in its group
    before the weighted sum, which is standardised over the update."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UpdateRewards:
    """The rewards of an update's completions, over all processes."""

    names: tuple[str, ...]
    ordered: Array
    """Of the completions that are trained on, shape (completions, rewards); completions of a group
    are neighbours. NaN where a reward does not apply, and everywhere in a failed group."""
    shuffled: tuple[Array, ...]
    """For each group those of its shuffled completions, shape (shuffled, rewards); without rows
    where they have none."""
    failed: tuple[bool, ...]
    """Which groups failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one reward does to the advantages of an update."""

    change: float
    """Norm of the change of the advantages, relative to the advantages without the reward; 1 where
    those are all 0."""
    groups: float
    """Share of the groups whose own advantages change by more than 1 %; of those with rewards."""


def join_rewards(parts: Sequence[UpdateRewards]) -> UpdateRewards:
    """Return the rewards of the groups of all parts, one after the other; there is at least one."""
    return UpdateRewards(
        names=parts[0].names,
        ordered=np.concatenate([part.ordered for part in parts]),
        shuffled=tuple(one for part in parts for one in part.shuffled),
        failed=tuple(one for part in parts for one in part.failed),
    )


def sum_rewards(table: Array, weights: Sequence[float] | Array) -> Array:
    """Return the weighted sum of each completion's rewards; NaN where none applies.

    Args:
        table: Rewards, shape (completions, rewards).
        weights: Weight of each reward.
    """
    totals: Array = np.nansum(table * np.asarray(weights, dtype=np.float64), axis=1)
    totals[np.isnan(table).all(axis=1)] = np.nan
    return totals


def group_advantages(table: Array, weights: Sequence[float] | Array, rule: AdvantageRule) -> Array:
    """Return the advantages of GRPO, shape (completions,).

    Args:
        table: Rewards, shape (completions, rewards); completions of a group are neighbours.
        weights: Weight of each reward.
        rule: Size of a group, and how rewards are scaled.
    """
    if rule.multi_objective_aggregation == "normalize_then_sum":
        totals = sum_rewards(_standardise_columns(table, rule.size), weights)
        return np.nan_to_num((totals - _mean(totals)) / (_std(totals) + EPSILON))
    grouped = sum_rewards(table, weights).reshape(-1, rule.size)
    centred = grouped - _mean(grouped, axis=1)
    return np.nan_to_num(centred / _scale(grouped, rule.scale_rewards)).ravel()


def contrast_advantages(
    rewards: UpdateRewards, weights: Sequence[float], rule: AdvantageRule
) -> Array:
    """Return advantages whose baseline and scale are those of ordered and shuffled answers.

    A = (r - mean(r and r~)) / (std(r and r~) + 1e-4), r the rewards of a group's ordered answers
    and r~ those of its shuffled ones. A group without shuffled answers has GRPO's advantages.

    Args:
        rewards: Of the ordered and the shuffled answers.
        weights: Weight of each reward.
        rule: ``batch`` takes the standard deviation of all answers of the update.
    """
    ordered = sum_rewards(rewards.ordered, weights).reshape(-1, rule.size)
    groups = [
        np.concatenate([own, sum_rewards(others, weights)])
        for own, others in zip(ordered, rewards.shuffled, strict=True)
    ]
    everything = np.concatenate(groups)
    found = [
        (both[: rule.size] - _mean(both))
        / _scale(everything if rule.scale_rewards == "batch" else both, rule.scale_rewards, None)
        for both in groups
    ]
    return np.nan_to_num(np.concatenate(found))


def effect_of_rewards(
    rewards: UpdateRewards, weights: Sequence[float], advantages: Callable[[Sequence[float]], Array]
) -> dict[str, Effect]:
    """Return the effect on the advantages of every reward but the accuracy that has a weight.

    Args:
        rewards: The rewards of an update.
        weights: Weight of each reward.
        advantages: Returns the advantages of the update under given weights.
    """
    whole = advantages(weights)
    return {
        name: effect(
            whole,
            advantages([0.0 if other == at else one for other, one in enumerate(weights)]),
            rewards.failed,
        )
        for at, name in enumerate(rewards.names)
        if weights[at] and name != accuracy.__name__
    }


def effect(whole: Array, without: Array, failed: Sequence[bool]) -> Effect:
    """Compare the advantages of an update with those that it would have without a reward.

    Args:
        whole: Advantages, shape (completions,).
        without: The same with the reward's weight set to 0.
        failed: Which groups have no rewards.
    """
    pairs = zip(*(one.reshape(len(failed), -1) for one in (whole, without)), strict=True)
    changes = [
        _relative_change(*pair) for pair, is_out in zip(pairs, failed, strict=True) if not is_out
    ]
    return Effect(
        change=_relative_change(whole, without),
        groups=sum(change > TURNED for change in changes) / max(1, len(changes)),
    )


def _relative_change(whole: Array, without: Array) -> float:
    change, before = np.linalg.norm(whole - without), np.linalg.norm(without)
    if before == 0:
        return float(change > 0)
    return float(change / before)


def _standardise_columns(table: Array, size: int) -> Array:
    grouped = table.reshape(-1, size, table.shape[1])
    centred = grouped - _mean(grouped, axis=1)
    return (centred / (_std(grouped, axis=1) + EPSILON)).reshape(table.shape)


def _scale(values: Array, kind: str, axis: int | None = 1) -> Array | float:
    """Return what rewards are divided by."""
    if kind == "none":
        return 1.0
    return _std(values, axis=None if kind == "batch" else axis) + EPSILON


def _mean(values: Array, axis: int | None = None) -> Array:
    """Return the mean of the numbers along an axis, which is kept; NaN where there is none."""
    count = np.sum(~np.isnan(values), axis=axis, keepdims=True)
    total = np.nansum(values, axis=axis, keepdims=True)
    found: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return found


def _std(values: Array, axis: int | None = None) -> Array:
    """Return the unbiased standard deviation, as `_mean`; NaN where there are fewer than two."""
    count = np.sum(~np.isnan(values), axis=axis, keepdims=True)
    squares = np.nansum((values - _mean(values, axis)) ** 2, axis=axis, keepdims=True)
    variance = np.divide(squares, count - 1, out=np.full(squares.shape, np.nan), where=count > 1)
    found: Array = np.sqrt(variance)
    return found
