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
        rewards: All rewards; those of groups are left to `trainer.loops.groups.reward_table`.
        ends: Tokens that end a completion.
        shuffled: Whether completions of shuffled prompts get their rewards, besides the accuracy.
    """

    def __init__(
        self,
        processor: Any,
        rewards: Sequence[Reward],
        ends: Collection[int],
        *,
        shuffled: bool,
    ) -> None:
        self._processor = processor
        self._rewards = [reward for reward in rewards if reward.of_completion is not None]
        self._ends = ends
        self._shuffled = shuffled

    def make_rollout(
        self,
        row: int,
        sample: Sample,
        failure: Failure | None,
        ordered: Sequence[int],
        shuffled: Sequence[Sequence[int]],
        step: int,
    ) -> Rollout:
        """Score the completions of one row of a batch.

        Args:
            row: Index of the row in the training data.
            sample: The row, with the length of its video (`trainer.rewards.spans.with_duration`).
            failure: Why its media could not be decoded, where they could not.
            ordered: The completion, with its end token where it has one.
            shuffled: Those of the prompt with shuffled frames.
            step: The update, for the message of a reward that fails.
        """
        return Rollout(
            row=row,
            ordered=None if failure else self._score(sample, ordered, step, self._rewards),
            shuffled=tuple(
                self._score(sample, tokens, step, self._rewards if self._shuffled else ())
                for tokens in shuffled
            ),
            failure=failure.message if failure else None,
        )

    def _score(
        self, sample: Sample, tokens: Sequence[int], step: int, rewards: Sequence[Reward]
    ) -> ScoredCompletion:
        text = chat.decode(self._processor, tokens)
        return ScoredCompletion(
            text=text,
            tokens=len(tokens),
            truncated=tokens[-1] not in self._ends,
            accuracy=accuracy(sample, text),
            rewards={reward.name: reward.score(sample, text, step) for reward in rewards},
        )
