"""Give an update the advantages of its algorithm, and compute them under other weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object

from trainer.loops.task_scaling import TaskScaling
from trainer.rewards.advantages import (
    AdvantageRule,
    Array,
    effect_of_rewards,
    group_advantages,
)
from trainer.runs.effects import effect_metrics

if TYPE_CHECKING:
    from trainer.loops.inputs import PromptInputs


class UpdateAdvantages(TaskScaling):
    """Mixin of `RolloutTrainer`: what completions are weighted by in an update."""

    accelerator: Any
    scale_rewards: str
    multi_objective_aggregation: str
    _batch: list[PromptInputs]
    _logs: Any

    @property
    def advantage_rule(self) -> AdvantageRule:
        """How the recipe turns rewards into advantages."""
        return AdvantageRule(
            size=self.num_generations,
            scale_rewards=self.scale_rewards,
            multi_objective_aggregation=self.multi_objective_aggregation,
        )

    def _replace_advantages(self, output: dict[str, Any]) -> list[float]:
        """Put the algorithm's advantages in place of TRL's, where it has its own.

        Returns:
            The advantages of all processes.
        """
        own = self._own_advantages(self._update, self.reward_weights.tolist())
        if own is None:
            return gather_object(output["advantages"].tolist())  # type: ignore[no-any-return]
        there = output["advantages"]
        output["advantages"] = torch.from_numpy(self._of_this_process(own)).to(there)
        self._logs["advantages"].clear()
        self._logs["advantages"].extend(own.tolist())
        return own.tolist()  # type: ignore[no-any-return]

    def _effects(self) -> dict[str, float]:
        """Return the metrics of what each reward does to the advantages of the update."""
        weights = self.reward_weights.tolist()
        return effect_metrics(effect_of_rewards(self._update, weights, self._advantages_under))

    def _advantages_under(self, weights: Sequence[float]) -> Array:
        """Return the advantages of the update under other weights of its rewards."""
        own = self._own_advantages(self._update, weights)
        if own is not None:
            return own
        return group_advantages(self._update.ordered, weights, self.advantage_rule)

    def _of_this_process(self, per_completion: Array) -> Array:
        start = self.accelerator.process_index * len(self._batch)
        return per_completion[start : start + len(self._batch)]
