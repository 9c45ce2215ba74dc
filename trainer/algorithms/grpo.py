"""GRPO with the paper's rewards: accuracy, format, and a bonus for a length in a window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.config.recipe import GRPORecipe
from trainer.config.sections import RewardSettings
from trainer.data.rows import TrainingRow
from trainer.loops.groups import CompletionGroup, GroupReward, accuracies, completion_rewards
from trainer.loops.rollout_run import rollout_run
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.rewards.rewards import length_bonus


def train(
    recipe: GRPORecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoGRPOTrainer(**run.arguments(grpo_rewards(recipe.reward))))


def grpo_rewards(settings: RewardSettings) -> list[GroupReward]:
    """Return accuracy, format and the length bonus."""

    def bonus(group: CompletionGroup) -> list[float]:
        lengths = [completion.tokens for completion in group.ordered]
        return length_bonus(accuracies(group.ordered), lengths, settings)

    return [
        *completion_rewards(settings.format_weight),
        GroupReward(name=length_bonus.__name__, weight=settings.length_weight, function=bonus),
    ]


class VideoGRPOTrainer(RolloutTrainer):
    """Group-relative policy optimisation on images and videos."""

    algorithm = "grpo"
