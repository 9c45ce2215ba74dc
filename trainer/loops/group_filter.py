"""Fill a batch with groups whose rewards differ: online filtering, DAPO's dynamic sampling.

The completions of a group that all earn the same have the advantage 0: the group teaches nothing.
It is replaced by a group of a further row, until the batch is full or the rounds are used up
(DAPO, arXiv 2503.14476, section 3.2).

Which rows are asked depends on the seed, the update and the rewards alone, all of which every
process knows: processes agree without a message, and a resumed run asks the same rows.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from statistics import fmean

from trainer.rewards.advantages import Array, UpdateRewards, sum_rewards
from trainer.rewards.completions import CompletionGroup, differ


class LeftOut(StrEnum):
    """Why a group that was sampled is not trained on."""

    EQUAL = "its rewards are equal"
    FAILED = "its media could not be decoded"
    SURPLUS = "the batch was full"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledGroup:
    """The completions of a row as they were sampled, and what they earned."""

    group: CompletionGroup
    rewards: UpdateRewards
    """Of this group alone."""
    tokens: Sequence[list[int]]
    """Token ids of each ordered completion."""
    logps: Sequence[list[float] | None]
    """Log-probability of each token, where the sampler reports it."""

    @property
    def row(self) -> int:
        """Index of the row in the training data."""
        return self.group.rollouts[0].row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilledBatch:
    """The groups of an update, and those that were sampled for it in vain."""

    groups: Sequence[SampledGroup]
    """One per place of the batch."""
    unfilled: Collection[int]
    """Places for which no group with different rewards was found; they get no gradient."""
    left_out: Sequence[tuple[SampledGroup, LeftOut]]
    """Groups without a place; those of `unfilled` places are not among them."""
    rounds: int
    """How often completions were sampled, the batch itself included."""

    def why_in_batch(self) -> list[str | None]:
        """Return for each place why its group is not trained on; None where it is."""
        return [
            str(why_left_out(one)) if at in self.unfilled else None
            for at, one in enumerate(self.groups)
        ]

    def metrics(self) -> dict[str, float]:
        """Return counts and shares of the groups that were asked for this update."""
        asked = [*self.groups, *(one for one, _ in self.left_out)]
        failed = sum(one.group.failure is not None for one in asked)
        surplus = sum(reason is LeftOut.SURPLUS for _, reason in self.left_out)
        kept = len(self.groups) - len(self.unfilled)
        answers = [answer.accuracy for one in asked for answer in one.group.ordered]
        return {
            "filter/asked_groups": float(len(asked)),
            "filter/filtered": (len(asked) - kept - surplus) / len(asked),
            "filter/surplus_groups": float(surplus),
            "filter/unfilled_groups": float(len(self.unfilled)),
            "filter/rounds": float(self.rounds),
            **({"filter/accuracy_asked": fmean(answers)} if answers else {}),
            "failed_groups": float(failed),
        }


class GroupFilter:
    """Chooses which groups of an update are trained on, and which rows are asked next.

    Args:
        rows: Number of training rows.
        rounds: How often further rows are asked in an update at most.
        seed: Seed of the further rows.
        teaches: Returns whether some completion of a group has an advantage.
        multiple: A round has a multiple of so many groups, so that processes share it evenly.
    """

    def __init__(
        self,
        *,
        rows: int,
        rounds: int,
        seed: int,
        teaches: Callable[[SampledGroup], bool],
        multiple: int = 1,
    ) -> None:
        self._rows = rows
        self._rounds = rounds
        self._seed = seed
        self._teaches = teaches
        self._multiple = multiple

    def fill(
        self,
        first: Sequence[SampledGroup],
        ask: Callable[[Sequence[int]], Sequence[SampledGroup]],
        *,
        step: int,
    ) -> FilledBatch:
        """Replace groups without spread by those of further rows.

        A group with spread keeps its place. Further rows are drawn from all rows but those that
        this update has asked. A round asks as many as the share that was kept so far makes
        necessary, at most as many as the batch has places.

        Args:
            first: The groups of the batch.
            ask: Samples one group for each of some rows, in all processes.
            step: The update; with the seed it decides which rows are drawn.
        """
        places = list(first)
        left_out: list[tuple[SampledGroup, LeftOut]] = []
        missing = [at for at, one in enumerate(first) if not self._teaches(one)]
        found, asked = len(first) - len(missing), len(first)
        further = self._further_rows({one.row for one in first}, step)
        rounds = 1
        while missing and rounds <= self._rounds:
            rows = list(islice(further, self._round_size(len(missing), found / asked, len(first))))
            rows = rows[: len(rows) // self._multiple * self._multiple]
            if not rows:
                break  # all rows are asked
            rounds += 1
            for one in ask(rows):
                asked += 1
                if not self._teaches(one):
                    left_out.append((one, why_left_out(one)))
                    continue
                found += 1
                if missing:
                    at = missing.pop(0)
                    left_out.append((places[at], why_left_out(places[at])))
                    places[at] = one
                else:
                    left_out.append((one, LeftOut.SURPLUS))
        return FilledBatch(groups=places, unfilled=missing, left_out=left_out, rounds=rounds)

    def _round_size(self, missing: int, share: float, most: int) -> int:
        needed = math.ceil(missing / share) if share else most
        return min(most, -(-needed // self._multiple) * self._multiple)

    def _further_rows(self, asked: Collection[int], step: int) -> Iterator[int]:
        """Yield all rows that were not asked, in an order that seed and update decide."""
        random_row = random.Random(f"{self._seed}:{step}")
        seen = set(asked)
        while len(seen) < self._rows:
            row = random_row.randrange(self._rows)
            if row not in seen:
                seen.add(row)
                yield row


def why_left_out(sampled: SampledGroup) -> LeftOut:
    """Return why a group without spread is not trained on."""
    return LeftOut.EQUAL if sampled.group.failure is None else LeftOut.FAILED


def has_spread(rewards: Array, weights: Sequence[float], *, per_reward: bool = False) -> bool:
    """Return whether some completions of a group earn more than others.

    Args:
        rewards: Shape (completions, rewards); NaN where one does not apply.
        weights: Weight of each reward in the sum that is compared.
        per_reward: Whether advantages are computed per reward and then summed, so that a group
            counts as soon as one of its rewards differs.
    """
    if per_reward:
        columns = zip(rewards.T.tolist(), weights, strict=True)
        return any(weight and differ(column) for column, weight in columns)
    return differ(sum_rewards(rewards, weights).tolist())
