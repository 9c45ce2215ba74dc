"""Groups of completions: rewards as a table, and the metrics of a step, by hand."""

from __future__ import annotations

import math

import pytest

from harness.schema import Kind, Sample
from trainer.loops.groups import (
    describe_group,
    group_metrics,
    make_groups,
    reward_table,
    temporal_metrics,
)
from trainer.rewards import CompletionGroup, Reward, ScoredCompletion
from trainer.rewards.completions import Rollout
from trainer.rewards.rewards import accuracy

SAMPLE = Sample(
    id="row-0", task="train", question="Which way?", answer="A", kind=Kind.MULTIPLE_CHOICE,
    category="multiple choice", cluster="clip",
)  # fmt: skip
ACCURACY = Reward(name="accuracy", of_completion=accuracy)
FORMAT = Reward(name="format_reward", weight=0.25, of_completion=lambda _, text: 1.0)
LENGTH = Reward(
    name="length", weight=0.5, of_group=lambda group: [float(one.tokens) for one in group.ordered]
)


def completion(accuracy: float, tokens: int = 3) -> ScoredCompletion:
    return ScoredCompletion(
        text="A",
        tokens=tokens,
        truncated=tokens > 3,
        accuracy=accuracy,
        rewards={"accuracy": accuracy, "format_reward": 1.0},
    )


def group(*accuracies: float, shuffled: tuple[float, ...] = ()) -> CompletionGroup:
    others = [(completion(one),) for one in shuffled] + [()] * (len(accuracies) - len(shuffled))
    rollouts = [
        Rollout(row=0, ordered=completion(one), shuffled=other)
        for one, other in zip(accuracies, others, strict=True)
    ]
    return CompletionGroup(sample=SAMPLE, rollouts=tuple(rollouts))


FAILED = CompletionGroup(
    sample=SAMPLE,
    rollouts=(Rollout(row=0, ordered=completion(1.0)), Rollout(row=0, ordered=None, failure="x")),
)


def test_the_table_has_a_row_per_completion_and_a_column_per_reward():
    """Accuracy, format, then the rewards of an algorithm, in the order of the list."""
    table = reward_table([ACCURACY, FORMAT, LENGTH], group(1.0, 0.0), 1)
    assert table == [[1.0, 1.0, 3.0], [0.0, 1.0, 3.0]]


def test_no_reward_applies_to_a_failed_group():
    """One process could not decode the media: the completions of the others count for nothing."""
    table = reward_table([ACCURACY, FORMAT, LENGTH], FAILED, 1)
    assert [len(row) for row in table] == [3, 3]
    assert all(math.isnan(value) for row in table for value in row)


def test_groups_are_neighbours_of_one_prompt():
    """Two prompts with two completions each; a mixed group is a fault of ours."""
    rollouts = [Rollout(row=row, ordered=completion(1.0)) for row in (0, 0, 1, 1)]
    assert [len(one.rollouts) for one in make_groups(rollouts, [SAMPLE, SAMPLE], 2)] == [2, 2]
    with pytest.raises(AssertionError):
        make_groups(rollouts, [SAMPLE, SAMPLE], 4)


def test_the_metrics_of_a_step_leave_failed_groups_out():
    """2 of 4 right; one failed group is counted."""
    metrics = group_metrics([group(1.0, 0.0), group(1.0, 0.0), FAILED])
    assert metrics == {
        "accuracy/multiple choice": 0.5,
        "truncated": 0.0,
        "consistency/read": 0.0,
        "failed_groups": 1.0,
    }


def test_the_temporal_gap_is_over_the_groups_with_shuffled_completions():
    """Ordered 3 of 4, shuffled 1 of 2: a gap of 0.25 in one of two groups."""
    groups = [group(1.0, 1.0, 1.0, 0.0, shuffled=(1.0, 0.0)), group(0.0, 0.0)]
    metrics = temporal_metrics(groups, [True, False])
    assert metrics["temporal/gap"] == metrics["temporal/gap/multiple choice"] == 0.25
    assert (metrics["temporal/earned"], metrics["temporal/compared"]) == (1.0, 0.5)


def test_a_reward_that_does_not_apply_is_written_as_null():
    """JSON has no NaN."""
    line = describe_group(
        group(1.0), step=1, question="?", rewards=[{"accuracy": 1.0, "bonus": math.nan}],
        totals=[1.0], advantages=[0.0],
    )  # fmt: skip
    assert line["ordered"][0]["rewards"] == {"accuracy": 1.0, "bonus": None}
