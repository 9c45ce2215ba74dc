"""Collect the completions of a prompt from all processes, reward them as a group, describe them.

A group is all completions of one prompt in an update. T-GRPO adds completions of the same prompt
with shuffled frames; they are compared with the ordered ones and never trained on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from harness.schema import Sample
from trainer.rewards.advantages import UpdateRewards
from trainer.rewards.completions import (
    NOT_APPLICABLE,
    CompletionGroup,
    Rollout,
    ScoredCompletion,
)
from trainer.rewards.consistency import is_consistent
from trainer.rewards.reward import Reward
from trainer.runs.step_lines import without_nan


def reward_table(rewards: Sequence[Reward], group: CompletionGroup, step: int) -> list[list[float]]:
    """Return the rewards of a group in an update, shape (completions, rewards).

    All values of a failed group are `NOT_APPLICABLE`.
    """
    if group.failure is not None:
        return [[NOT_APPLICABLE] * len(rewards) for _ in group.rollouts]
    columns = [reward.score_group(group, step) for reward in rewards]
    return [list(row) for row in zip(*columns, strict=True)]


def update_rewards(
    rewards: Sequence[Reward], groups: Sequence[CompletionGroup], step: int, *, shuffled: bool
) -> UpdateRewards:
    """Return the rewards of all groups of an update.

    Args:
        rewards: The rewards of the recipe.
        groups: The groups of all processes.
        step: The update, for the message of a reward that fails.
        shuffled: Whether shuffled completions have rewards, too, as a group of their own.
    """
    others = [
        reward_table(rewards, group.of_shuffled(), step) if shuffled and group.shuffled else []
        for group in groups
    ]
    return UpdateRewards(
        names=tuple(reward.name for reward in rewards),
        ordered=np.array([row for group in groups for row in reward_table(rewards, group, step)]),
        shuffled=tuple(np.array(table).reshape(-1, len(rewards)) for table in others),
        failed=tuple(group.failure is not None for group in groups),
    )


def make_groups(
    rollouts: Sequence[Rollout], samples: Sequence[Sample], size: int
) -> list[CompletionGroup]:
    """Split the rollouts of all processes into groups of `size` neighbours."""
    parts = [tuple(rollouts[start : start + size]) for start in range(0, len(rollouts), size)]
    for part in parts:
        assert len({one.row for one in part}) == 1, [one.row for one in part]
    return [CompletionGroup(sample=samples[part[0].row], rollouts=part) for part in parts]


def accuracies(completions: Iterable[ScoredCompletion]) -> list[float]:
    """Return the accuracy reward of each completion."""
    return [completion.accuracy for completion in completions]


def group_metrics(groups: Sequence[CompletionGroup]) -> dict[str, float]:
    """Return what is logged of every step.

    Accuracy per problem type, share of truncated completions, think-answer consistency
    (`trainer.rewards.consistency`) and the share of completions in which it could be read, and the
    number of failed groups.
    """
    found: defaultdict[str, list[float]] = defaultdict(list)
    for group in groups:
        found[f"accuracy/{group.sample.kind}"] += accuracies(group.ordered)
        found["truncated"] += [float(completion.truncated) for completion in group.ordered]
        agree = [is_consistent(group.sample, completion.text) for completion in group.ordered]
        found["consistency/think_answer"] += [float(one) for one in agree if one is not None]
        found["consistency/read"] += [float(one is not None) for one in agree]
    failed = sum(group.failure is not None for group in groups)
    return {**_means(found), "failed_groups": float(failed)}


def temporal_metrics(
    groups: Sequence[CompletionGroup], earned: Sequence[bool] | None = None
) -> dict[str, float]:
    """Compare ordered with shuffled completions in the groups that have both.

    Args:
        groups: All groups of a step.
        earned: Whether each of them earned the temporal bonus; None where there is none.

    Returns:
        Mean accuracy ordered and shuffled and their difference, over all groups and per problem
        type, the share of compared groups that earned the bonus, and the share of groups compared.
    """
    compared = [(at, group) for at, group in enumerate(groups) if group.shuffled]
    found: defaultdict[str, list[float]] = defaultdict(list)
    for at, group in compared:
        ordered, shuffled = fmean(accuracies(group.ordered)), fmean(accuracies(group.shuffled))
        found["temporal/ordered"].append(ordered)
        found["temporal/shuffled"].append(shuffled)
        found["temporal/gap"].append(ordered - shuffled)
        found[f"temporal/gap/{group.sample.kind}"].append(ordered - shuffled)
        if earned is not None:
            found["temporal/earned"].append(float(earned[at]))
    return {**_means(found), "temporal/compared": len(compared) / len(groups)}


def describe_group(
    group: CompletionGroup,
    *,
    step: int,
    question: str,
    rewards: Sequence[Mapping[str, float]],
    totals: Sequence[float],
    advantages: Sequence[float | None],
) -> dict[str, Any]:
    """Return the group's line in ``completions.jsonl``.

    Args:
        group: The group; a failed one has no completions.
        step: The training step.
        question: The prompt's text.
        rewards: Per ordered completion its rewards by name.
        totals: Per ordered completion the weighted sum of its rewards.
        advantages: Per ordered completion its advantage; None where it was not trained on.
    """
    sample = group.sample
    ordered = [
        {
            **_describe_completion(completion),
            "rewards": without_nan(columns),
            "reward": total,
            "advantage": advantage,
        }
        for completion, columns, total, advantage in zip(
            group.ordered, rewards, totals, advantages, strict=False
        )
    ]
    shuffled = [
        {
            **_describe_completion(completion),
            "rewards": {"accuracy": completion.accuracy, **without_nan(completion.rewards)},
        }
        for completion in group.shuffled
    ]
    return {
        "step": step,
        "id": sample.id,
        "kind": str(sample.kind),
        "question": question,
        "media": [str(media.path) for media in sample.media],
        "gold": sample.answer,
        "failure": group.failure,
        "ordered": ordered,
        "shuffled": shuffled,
    }


def _means(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: fmean(values) for name, values in found.items() if values}


def _describe_completion(completion: ScoredCompletion) -> dict[str, Any]:
    described = {
        "text": completion.text,
        "tokens": completion.tokens,
        "truncated": completion.truncated,
    }
    if completion.log_ratio is not None:
        described["log_ratio"] = completion.log_ratio
    return described
