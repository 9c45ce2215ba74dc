"""T-GRPO contrast: a baseline over the answers to ordered and to shuffled frames together.

With r the rewards of the G ordered answers of a prompt and r~ those of its G~ shuffled ones,

    A = (r - mean(r and r~)) / (std(r and r~) + 1e-4),

or, by ``trl.scale_rewards``, the deviation of all answers of the update (``batch``), or no division
(``none``). Shuffled answers get GRPO's rewards as a group of their own; they move the baseline and
are never trained on. They do not depend on the ordered ones, so that they add no bias: without a
division the mean gradient is that of the expected reward times 1 - 1 / (G + G~), as it is times
1 - 1 / G in GRPO. Where order matters the baseline is lower, so that right answers weigh more and
wrong ones less; where it does not, this is GRPO with a better baseline. An image has GRPO's
advantages. docs/temporal_bonus.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.algorithms.grpo import grpo_rewards
from trainer.algorithms.tgrpo import VideoTGRPOTrainer
from trainer.config.variants import ContrastRecipe
from trainer.data.rows import TrainingRow
from trainer.loops.rollout_run import rollout_run
from trainer.rewards.advantages import Array, UpdateRewards, contrast_advantages


def train(
    recipe: ContrastRecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = grpo_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoContrastTrainer(rollout=recipe.rollout, **run.arguments(rewards)))


class VideoContrastTrainer(VideoTGRPOTrainer):
    """GRPO whose baseline counts the answers to shuffled frames, too."""

    algorithm = "tgrpo-contrast"
    bonus = None
    scores_shuffled = True

    def advantages(self, rewards: UpdateRewards, weights: Sequence[float]) -> Array:
        """Return advantages with the baseline and scale of ordered and shuffled answers."""
        return contrast_advantages(rewards, weights, self.advantage_rule)
