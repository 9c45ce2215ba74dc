"""Scale the advantages of a training by problem type, and keep the scales in its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from trainer.loops.hooks import AlgorithmHooks
from trainer.rewards.advantages import Array, UpdateRewards, sum_rewards
from trainer.rewards.task_ema import TaskEma

if TYPE_CHECKING:
    from trainer.rewards.completions import CompletionGroup


class TaskScaling(AlgorithmHooks):
    """Mixin of `RolloutTrainer`: advantages by `TaskEma`, where the recipe asks for them."""

    algorithm: str
    args: Any
    num_generations: int
    reward_weights: Any
    state: Any
    _groups: list[CompletionGroup]
    _update: UpdateRewards
    _task_ema: TaskEma | None = None

    def scale_by_task(self, decay: float) -> None:
        """Divide advantages by a moving deviation of their problem type.

        Args:
            decay: The share of a moving mean that stays in an update.

        Raises:
            UsageError: The algorithm has advantages of its own.
        """
        if type(self).advantages is not AlgorithmHooks.advantages:
            raise UsageError(
                f"reward.task_ema_decay: {self.algorithm} has advantages of its own; leave it out,"
                " or train with grpo or tgrpo"
            )
        self._task_ema = TaskEma(decay)

    def _own_advantages(self, rewards: UpdateRewards, weights: Sequence[float]) -> Array | None:
        """Return the advantages of the update where they are not TRL's."""
        if self._task_ema is None:
            return self.advantages(rewards, weights)
        return self._task_ema.advantages(self._kinds(), self._sums(rewards, weights))

    def _update_task_ema(self) -> dict[str, float]:
        """Add the rewards of the update; returns metrics."""
        if self._task_ema is None:
            return {}
        sums = self._sums(self._update, self.reward_weights.tolist())
        self._task_ema.update(self._kinds(), sums)
        return self._task_ema.metrics()

    def restore_task_ema(self, checkpoint: str | None) -> None:
        """Read the moving means of a checkpoint."""
        if self._task_ema is not None and checkpoint:
            self._task_ema.restore(Path(checkpoint))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save the means first: a checkpoint is complete once the Trainer's state is in it."""
        if self._task_ema is not None and self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            self._task_ema.save(folder)
        trainer: Any = super()
        trainer._save_checkpoint(model, trial)

    def _kinds(self) -> list[str]:
        return [str(group.sample.kind) for group in self._groups]

    def _sums(self, rewards: UpdateRewards, weights: Sequence[float]) -> Array:
        return sum_rewards(rewards.ordered, weights).reshape(-1, self.num_generations)
