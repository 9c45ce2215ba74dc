"""GRPO with the paper's rewards: accuracy, format, and a bonus for answers of a wanted length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.config.recipe import GRPORecipe
from trainer.config.sections import RewardSettings
from trainer.data.rows import TrainingRow
from trainer.loops.groups import Group, accuracies
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.loops.setup import rollout_run
from trainer.rewards.rewards import length_bonus


def train(
    recipe: GRPORecipe,
    out: Path,
    *,
    rows: Sequence[TrainingRow] | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    with rollout_run(recipe, out, rows=rows, callbacks=callbacks) as run:
        run.train(
            VideoGRPOTrainer(
                reward=recipe.reward,
                **run.arguments(weights=[recipe.reward.length_weight]),
            )
        )


class VideoGRPOTrainer(RolloutTrainer):
    """Group-relative policy optimisation on images and videos."""

    def __init__(self, *, reward: RewardSettings, **common: Any) -> None:
        super().__init__(bonuses=[length_bonus], **common)
        self._reward = reward

    def group_bonuses(self, group: Group) -> list[list[float]]:
        """Return the length bonus."""
        lengths = [answer.tokens for answer in group.ordered]
        return [length_bonus(accuracies(group.ordered), lengths, self._reward)]
