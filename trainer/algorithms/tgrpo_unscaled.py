"""T-GRPO unscaled: the published bonus, with advantages that are divided by nothing.

r + alpha for every right answer where p(ordered) >= mu p(shuffled), as in T-GRPO, and

    A = r - mean(r),

so that the bonus is not cancelled by the deviation of the group (docs/temporal_bonus.md): the right
answers of a group that earns it weigh 1 + alpha instead of 1. A tie earns it, and all right answers
of a group earn alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.algorithms.tgrpo import VideoTGRPOTrainer, tgrpo_rewards
from trainer.config.variants import UnscaledRecipe
from trainer.data.rows import TrainingRow
from trainer.loops.rollout_run import rollout_run


def train(
    recipe: UnscaledRecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = tgrpo_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoUnscaledTrainer(rollout=recipe.rollout, **run.arguments(rewards)))


class VideoUnscaledTrainer(VideoTGRPOTrainer):
    """T-GRPO; the recipe asks TRL for advantages without a division."""

    algorithm = "tgrpo-unscaled"
