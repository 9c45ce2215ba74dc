"""Decode sampled completions, and compute the rewards that depend on their text alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from harness.backends import chat
from harness.schema import Sample
from trainer.rewards.completions import ScoredCompletion
from trainer.rewards.reward import Reward
from trainer.rewards.rewards import accuracy


class CompletionScorer:
    """Scores completions of training rows.

    Args:
        processor: The checkpoint's processor.
        samples: The training rows.
        rewards: All rewards; those of groups are left to `trainer.loops.groups.reward_table`.
        ends: Tokens that end a completion.
    """

    def __init__(
        self,
        processor: Any,
        samples: Sequence[Sample],
        rewards: Sequence[Reward],
        ends: Collection[int],
    ) -> None:
        self._processor = processor
        self._samples = samples
        self._rewards = [reward for reward in rewards if reward.of_completion is not None]
        self._ends = ends

    def score(
        self, row: int, tokens: Sequence[int], step: int, *, rewarded: bool = True
    ) -> ScoredCompletion:
        """Score one completion.

        Args:
            row: Index of the row in the training data.
            tokens: The completion, with its end token where it has one.
            step: The update, for the message of a reward that fails.
            rewarded: Whether to compute its rewards, besides the accuracy.
        """
        text, sample = chat.decode(self._processor, tokens), self._samples[row]
        return ScoredCompletion(
            text=text,
            tokens=len(tokens),
            truncated=tokens[-1] not in self._ends,
            accuracy=accuracy(sample, text),
            rewards={reward.name: reward.score(sample, text, step) for reward in self._rewards}
            if rewarded
            else {},
        )
