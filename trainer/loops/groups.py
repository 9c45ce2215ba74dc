"""The completions of one prompt, put together from all processes, and what is logged about them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.schema import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One completion and what it is worth by itself."""

    text: str
    tokens: int
    """Length, the end token included."""
    truncated: bool
    """Cut at the token limit."""
    accuracy: float
    format: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One place of a batch: the answer to the ordered prompt, and maybe one to its twin."""

    row: int
    """Place of the row in the training data."""
    answer: Answer | None
    """None where the prompt could not be shown."""
    twin: Answer | None = None
    """To the shuffled frames; rewarded, never learnt from."""
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All completions of one prompt."""

    sample: Sample
    rollouts: tuple[Rollout, ...]

    @property
    def failure(self) -> str | None:
        """Why some process could not show the prompt: the whole group is then left out."""
        return next((one.failure for one in self.rollouts if one.failure is not None), None)

    @property
    def ordered(self) -> list[Answer]:
        """The answers that are learnt from; none in a failed group."""
        if self.failure is not None:
            return []
        return [one.answer for one in self.rollouts if one.answer is not None]

    @property
    def shuffled(self) -> list[Answer]:
        """The answers to the shuffled twin; none without a twin or in a failed group."""
        if self.failure is not None:
            return []
        return [one.twin for one in self.rollouts if one.twin is not None]


def groups_of(rollouts: Sequence[Rollout], samples: Sequence[Sample], size: int) -> list[Group]:
    """Cut the rollouts of all processes into groups of `size`, which lie side by side."""
    cut = [tuple(rollouts[start : start + size]) for start in range(0, len(rollouts), size)]
    for group in cut:
        assert len({one.row for one in group}) == 1, [one.row for one in group]
    return [Group(sample=samples[group[0].row], rollouts=group) for group in cut]


def accuracies(answers: Iterable[Answer]) -> list[float]:
    """List the accuracy rewards of answers."""
    return [answer.accuracy for answer in answers]


def group_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Return the accuracy per problem type, the share cut at the token limit, and failures."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for group in groups:
        found[f"accuracy/{group.sample.kind}"] += accuracies(group.ordered)
        found["truncated"] += [float(answer.truncated) for answer in group.ordered]
    failed = sum(group.failure is not None for group in groups)
    return {**_means(found), "failed_groups": float(failed)}


def temporal_metrics(groups: Sequence[Group], earned: Sequence[bool]) -> dict[str, float]:
    """Compare the groups that have a shuffled twin with it.

    Args:
        groups: All groups of a step.
        earned: Whether each of them earned the temporal bonus.

    Returns:
        Mean accuracy ordered and shuffled and their difference, over all and per problem type, the
        share of compared groups that earned the bonus, and the share of groups compared.
    """
    compared = [(group, won) for group, won in zip(groups, earned, strict=True) if group.shuffled]
    found: defaultdict[str, list[float]] = defaultdict(list)
    for group, won in compared:
        ordered, shuffled = fmean(accuracies(group.ordered)), fmean(accuracies(group.shuffled))
        found["temporal/ordered"].append(ordered)
        found["temporal/shuffled"].append(shuffled)
        found["temporal/gap"].append(ordered - shuffled)
        found[f"temporal/gap/{group.sample.kind}"].append(ordered - shuffled)
        found["temporal/earned"].append(float(won))
    return {**_means(found), "temporal/compared": len(compared) / len(groups)}


def _means(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: fmean(values) for name, values in found.items() if values}


def group_line(
    group: Group,
    *,
    step: int,
    question: str,
    rewards: Sequence[Mapping[str, float]],
    totals: Sequence[float],
    advantages: Sequence[float],
) -> dict[str, Any]:
    """Describe one group; the sequences have one entry per ordered completion."""
    sample = group.sample
    ordered = [
        {**_answer(answer), "rewards": _known(columns), "reward": total, "advantage": advantage}
        for answer, columns, total, advantage in zip(
            group.ordered, rewards, totals, advantages, strict=False
        )
    ]
    shuffled = [
        {**_answer(answer), "rewards": {"accuracy": answer.accuracy}} for answer in group.shuffled
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


def _answer(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "tokens": answer.tokens, "truncated": answer.truncated}


def _known(rewards: Mapping[str, float]) -> dict[str, float | None]:
    """Write a reward that does not apply as null."""
    return {name: None if math.isnan(value) else value for name, value in rewards.items()}
