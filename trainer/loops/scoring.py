"""Decode sampled completions, and compute the rewards that depend on their text alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from harness.backends import chat
from harness.schema import Failure, Sample
from trainer.rewards.completions import Rollout, ScoredCompletion
from trainer.rewards.reward import Reward
from trainer.rewards.rewards import accuracy


class CompletionScorer:
    """Scores completions of training rows.

    Args:
        processor: The checkpoint's processor.
        samples: The training rows.
        rewards: All rewards; those of groups are left to `trainer.loops.groups.reward_table`.
        ends: Tokens that end a completion.
        shuffled: Whether completions of shuffled prompts get their rewards, besides the accuracy.
    """

    def __init__(
        self,
        processor: Any,
        samples: Sequence[Sample],
        rewards: Sequence[Reward],
        ends: Collection[int],
        *,
        shuffled: bool,
    ) -> None:
        self._processor = processor
        self._samples = samples
        self._rewards = [reward for reward in rewards if reward.of_completion is not None]
        self._ends = ends
        self._shuffled = shuffled

    def make_rollout(
        self,
        row: int,
        failure: Failure | None,
        ordered: Sequence[int],
        shuffled: Sequence[Sequence[int]],
        step: int,
    ) -> Rollout:
        """Score the completions of one row of a batch.

        Args:
            row: Index of the row in the training data.
            failure: Why its media could not be decoded, where they could not.
            ordered: The completion, with its end token where it has one.
            shuffled: Those of the prompt with shuffled frames.
            step: The update, for the message of a reward that fails.
        """
        return Rollout(
            row=row,
            ordered=None if failure else self._score(row, ordered, step, self._rewards),
            shuffled=tuple(
                self._score(row, tokens, step, self._rewards if self._shuffled else ())
                for tokens in shuffled
            ),
            failure=failure.message if failure else None,
        )

    def _score(
        self, row: int, tokens: Sequence[int], step: int, rewards: Sequence[Reward]
    ) -> ScoredCompletion:
        text, sample = chat.decode(self._processor, tokens), self._samples[row]
        return ScoredCompletion(
            text=text,
            tokens=len(tokens),
            truncated=tokens[-1] not in self._ends,
            accuracy=accuracy(sample, text),
            rewards={reward.name: reward.score(sample, text, step) for reward in rewards},
        )
