"""Which groups an update keeps, which rows it asks next, and what it counts: worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trainer.loops.test_groups import FAILED, SAMPLE, completion
from trainer.loops.group_filter import GroupFilter, LeftOut, SampledGroup, has_spread
from trainer.rewards.advantages import UpdateRewards
from trainer.rewards.completions import CompletionGroup, Rollout

NAN = math.nan


def rewards_of(table) -> UpdateRewards:
    names = tuple(f"reward {number}" for number in range(len(table[0])))
    return UpdateRewards(names=names, ordered=np.array(table), shuffled=(), failed=(False,))


def sampled(row: int, *rewards: float | tuple[float, ...]) -> SampledGroup:
    """Return the group of a row whose completions have these rewards."""
    table = [[one] if isinstance(one, float | int) else list(one) for one in rewards]
    rollouts = tuple(Rollout(row=row, ordered=completion(one[0])) for one in table)
    return SampledGroup(
        group=CompletionGroup(sample=SAMPLE, rollouts=rollouts),
        rewards=rewards_of(table),
        tokens=[[row]] * len(table),
        logps=[None] * len(table),
    )


def failed() -> SampledGroup:
    return SampledGroup(
        group=FAILED, rewards=rewards_of([[NAN], [NAN]]), tokens=[[0], [0]], logps=[None] * 2
    )


def teaches(one: SampledGroup) -> bool:
    return has_spread(one.rewards.ordered, [1.0])


def make_filter(**changes: object) -> GroupFilter:
    settings = {"rows": 100, "rounds": 3, "seed": 0, "teaches": teaches}
    return GroupFilter(**{**settings, **changes})  # type: ignore[arg-type]


class Asker:
    """Answers a round: rows of `spread` get different rewards, others equal ones."""

    def __init__(self, spread=lambda row: True) -> None:
        self.rounds: list[list[int]] = []
        self._spread = spread

    def __call__(self, rows):
        self.rounds.append(list(rows))
        return [sampled(row, 1.0, 0.0 if self._spread(row) else 1.0) for row in rows]


@pytest.mark.parametrize(
    ("rewards", "spread"),
    [
        ((1.0, 0.0), True),
        ((1.0, 1.0), False),
        ((0.0, 0.0, 0.0), False),
        ((0.3, 0.1 + 0.2), False),  # a rounding error is no difference
        ((NAN, 1.0), False),  # a completion without a reward has no advantage
        ((NAN, 1.0, 0.0), True),
        ((NAN, NAN), False),
    ],
)
def test_a_group_has_spread_where_completions_earn_different_sums(rewards, spread):
    """The advantage of equal sums is 0, whatever they are."""
    assert has_spread(np.array([[reward] for reward in rewards]), [1.0]) is spread


def test_the_weighted_sum_decides_unless_advantages_are_computed_per_reward():
    """0.5 * 1 + 1 * 0 equals 0.5 * 0 + 1 * 0.5; a reward of weight 0 never counts."""
    group = np.array([(1.0, 0.0), (0.0, 0.5)])
    assert not has_spread(group, [0.5, 1.0])
    assert has_spread(group, [0.5, 1.0], per_reward=True)
    assert not has_spread(np.array([(1.0, 0.0), (1.0, 0.5)]), [1.0, 0.0], per_reward=True)


def test_a_full_batch_asks_nothing():
    """Every group has spread: one round, nothing filtered."""
    ask = Asker()
    filled = make_filter().fill([sampled(1, 1.0, 0.0), sampled(2, 0.0, 1.0)], ask, step=0)
    assert ask.rounds == []
    assert filled.metrics()["filter/filtered"] == 0
    assert filled.metrics()["filter/rounds"] == 1


def test_groups_without_spread_are_replaced_at_their_place():
    """Half of the batch was kept, so that two places need four rows; the batch keeps its order, and
    the two groups that were not needed are counted as surplus."""
    first = [sampled(1, 1.0, 0.0), sampled(2, 1.0, 1.0), sampled(3, 0.0, 0.0), sampled(4, 0.0, 1.0)]
    ask = Asker()
    filled = make_filter().fill(first, ask, step=0)
    (asked,) = ask.rounds
    assert len(set(asked)) == 4
    assert not set(asked) & {1, 2, 3, 4}
    assert [one.row for one in filled.groups] == [1, asked[0], asked[1], 4]
    assert [(one.row, why) for one, why in filled.left_out] == [
        (2, LeftOut.EQUAL),
        (3, LeftOut.EQUAL),
        (asked[2], LeftOut.SURPLUS),
        (asked[3], LeftOut.SURPLUS),
    ]
    assert list(filled.unfilled) == []
    # answers: 1, 0; 1, 1; 0, 0; 0, 1; and four times 1, 0: 8 of 16 are right
    assert filled.metrics() == {
        "filter/asked_groups": 8,
        "filter/filtered": 2 / 8,
        "filter/surplus_groups": 2,
        "filter/unfilled_groups": 0,
        "filter/rounds": 2,
        "filter/accuracy_asked": 0.5,
        "failed_groups": 0,
    }


def test_a_round_asks_at_most_a_batch():
    """Of 1 kept in 4 follow 12 rows for 3 places; the sampler is made for 4."""
    first = [sampled(1, 1.0, 0.0), *(sampled(row, 1.0, 1.0) for row in (2, 3, 4))]
    ask = Asker()
    make_filter().fill(first, ask, step=0)
    assert [len(rows) for rows in ask.rounds] == [4]


def test_at_the_bound_the_batch_goes_on_with_what_it_has():
    """Three further rounds bring nothing: the place stays unfilled, with the group it had."""
    ask = Asker(spread=lambda row: False)
    filled = make_filter().fill([sampled(1, 1.0, 0.0), sampled(2, 1.0, 1.0)], ask, step=0)
    assert len(ask.rounds) == 3
    assert [one.row for one in filled.groups] == [1, 2]
    assert list(filled.unfilled) == [1]
    metrics = filled.metrics()
    assert (metrics["filter/rounds"], metrics["filter/unfilled_groups"]) == (4, 1)
    asked = 2 + sum(map(len, ask.rounds))
    assert metrics["filter/filtered"] == (asked - 1) / asked


def test_no_row_is_asked_twice_in_an_update_and_the_rows_may_run_out():
    """Five rows, two of them in the batch: three are left, whatever the number of rounds."""
    ask = Asker(spread=lambda row: False)
    filled = make_filter(rows=5, rounds=9).fill(
        [sampled(0, 1.0, 1.0), sampled(1, 1.0, 1.0)], ask, step=0
    )
    assert sorted(row for rows in ask.rounds for row in rows) == [2, 3, 4]
    assert list(filled.unfilled) == [0, 1]


def test_a_group_that_could_not_be_decoded_is_replaced_and_counted_as_failed():
    """It is no group of equal rewards, and teaches as little."""
    filled = make_filter().fill([failed(), sampled(2, 1.0, 0.0)], Asker(), step=0)
    assert list(filled.unfilled) == []
    assert filled.left_out[0][1] is LeftOut.FAILED
    assert filled.metrics()["failed_groups"] == 1


def test_processes_share_a_round_evenly():
    """Three processes and groups of 8: a round has a multiple of three groups, or none."""
    first = [sampled(row, 1.0, 0.0) for row in range(5)] + [sampled(5, 1.0, 1.0)]
    ask = Asker()
    make_filter(multiple=3).fill(first, ask, step=0)
    assert [len(rows) for rows in ask.rounds] == [3]
    ask = Asker()
    filled = make_filter(multiple=3, rows=8).fill(first, ask, step=0)  # two rows are left
    assert ask.rounds == []
    assert list(filled.unfilled) == [5]


def test_the_rows_asked_depend_on_seed_and_update_alone():
    """So a resumed run asks the same ones, and every update others."""

    def rows_of(seed: int, step: int) -> list[int]:
        ask = Asker()
        first = [sampled(1, 1.0, 1.0), sampled(2, 1.0, 1.0)]
        make_filter(seed=seed).fill(first, ask, step=step)
        return ask.rounds[0]

    assert rows_of(0, 7) == rows_of(0, 7)
    assert rows_of(0, 7) != rows_of(0, 8)
    assert rows_of(0, 7) != rows_of(1, 7)
