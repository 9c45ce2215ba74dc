"""What rewards are computed of: completions of a prompt, collected from all processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.schema import Sample

NOT_APPLICABLE = float("nan")
"""The value of a reward that does not apply to a completion: it counts neither as a reward nor in
a mean."""

_EQUAL = 1e-6
"""Rewards that differ by less are one reward: sums of weights have rounding errors."""


def differ(rewards: Iterable[float]) -> bool:
    """Return whether some of the rewards differ; those that do not apply are left out."""
    applied = [reward for reward in rewards if not math.isnan(reward)]
    return bool(applied) and max(applied) - min(applied) > _EQUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCompletion:
    """One completion and the rewards that depend on its text alone."""

    text: str
    tokens: int
    """Length, including the end token."""
    truncated: bool
    """Whether it was cut at the token limit."""
    accuracy: float
    """0 to 1, whether or not it is among the rewards."""
    rewards: Mapping[str, float] = field(default_factory=dict)
    """Rewards of this completion by name; empty for shuffled frames where only their accuracy
    counts."""
    log_ratio: float | None = None
    """How much more likely its tokens are behind the ordered frames than behind shuffled ones, in
    nats; None where that was not computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One row of a batch: its completion, and for some rows others with shuffled frames."""

    row: int
    """Index of the row in the training data."""
    ordered: ScoredCompletion | None
    """None where the media of the prompt could not be decoded."""
    shuffled: tuple[ScoredCompletion, ...] = ()
    """Completions of the prompt with shuffled frames; rewarded, never trained on."""
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionGroup:
    """All completions of one prompt in an update."""

    sample: Sample
    rollouts: tuple[Rollout, ...]

    @property
    def failure(self) -> str | None:
        """Why some process could not decode the media: the whole group is then left out."""
        return next((one.failure for one in self.rollouts if one.failure is not None), None)

    @property
    def ordered(self) -> list[ScoredCompletion]:
        """The completions that are trained on; empty in a failed group."""
        if self.failure is not None:
            return []
        return [one.ordered for one in self.rollouts if one.ordered is not None]

    @property
    def shuffled(self) -> list[ScoredCompletion]:
        """The completions of the prompt with shuffled frames; empty in a failed group."""
        if self.failure is not None:
            return []
        return [one for rollout in self.rollouts for one in rollout.shuffled]

    def of_shuffled(self) -> CompletionGroup:
        """Return the group of the shuffled completions alone, which rewards then see as ordered."""
        rollouts = tuple(Rollout(row=self.rollouts[0].row, ordered=one) for one in self.shuffled)
        return CompletionGroup(sample=self.sample, rollouts=rollouts)
