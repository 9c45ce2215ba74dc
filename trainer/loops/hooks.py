"""What an algorithm may change of the rollout trainer; docs/algorithms.md has a table of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainer.loops.groups import group_metrics
from trainer.loops.inputs import PromptInputs
from trainer.rewards.advantages import Array, UpdateRewards
from trainer.rewards.completions import CompletionGroup, Rollout

if TYPE_CHECKING:
    import torch


class AlgorithmHooks:
    """Methods of `RolloutTrainer` that an algorithm overrides; these are those of GRPO."""

    scores_shuffled = False
    """Whether completions of shuffled prompts get all rewards; else their accuracy alone."""

    def shuffled_prompts(
        self, rows: Sequence[PromptInputs], step: int
    ) -> Mapping[int, Sequence[PromptInputs]]:
        """Return prompts with shuffled frames to sample as well, by the index of their row.

        Args:
            rows: The prompts of a batch.
            step: Updates that are made before it is trained on.
        """
        return {}

    def measure(
        self, rollouts: Sequence[Rollout], completions: Sequence[Sequence[int]]
    ) -> Sequence[Rollout]:
        """Return the rollouts of this process with what else their rewards depend on.

        Args:
            rollouts: One per row of the batch, scored by their texts.
            completions: Their token ids.
        """
        return rollouts

    def advantages(self, rewards: UpdateRewards, weights: Sequence[float]) -> Array | None:
        """Return the advantage of each completion; None: TRL's, by ``scale_rewards``.

        Args:
            rewards: The rewards of the completions of all processes.
            weights: The weight of each reward.
        """
        return None

    def step_metrics(
        self, groups: Sequence[CompletionGroup], rewards: torch.Tensor
    ) -> dict[str, float]:
        """Return the metrics of a step.

        Args:
            groups: The groups of all processes.
            rewards: Their rewards in the same order, shape (completions, rewards).
        """
        return group_metrics(groups)
