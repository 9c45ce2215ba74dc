"""GRPO with the paper's rewards: accuracy, format, and a bonus for a length in a window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.config.recipe import GRPORecipe
from trainer.config.rl_sections import RewardSettings
from trainer.data.rows import TrainingRow
from trainer.loops.groups import accuracies
from trainer.loops.rollout_run import rollout_run
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.rewards.completions import CompletionGroup
from trainer.rewards.registry import choose_rewards
from trainer.rewards.reward import Reward
from trainer.rewards.rewards import accuracy, format_reward, length_bonus


def train(
    recipe: GRPORecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = grpo_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoGRPOTrainer(**run.arguments(rewards)))


def grpo_rewards(settings: RewardSettings) -> list[Reward]:
    """Return the recipe's rewards; by default accuracy, format and the length bonus."""
    return choose_rewards(settings.functions, own_rewards(settings))


def own_rewards(settings: RewardSettings) -> list[Reward]:
    """Return accuracy, format and the length bonus."""

    def bonus(group: CompletionGroup) -> list[float]:
        lengths = [completion.tokens for completion in group.ordered]
        return length_bonus(accuracies(group.ordered), lengths, settings)

    return [
        Reward(name=accuracy.__name__, of_completion=accuracy),
        Reward(
            name=format_reward.__name__,
            weight=settings.format_weight,
            of_completion=lambda _, text: format_reward(text),
        ),
        Reward(name=length_bonus.__name__, weight=settings.length_weight, of_group=bonus),
    ]


class VideoGRPOTrainer(RolloutTrainer):
    """Group-relative policy optimisation on images and videos."""

    algorithm = "grpo"
