"""T-GRPO gap: a bonus as large as the gap between ordered and shuffled answers, which counts.

A right answer of a video prompt earns, beside GRPO's rewards,

    alpha * max(0, p - p~),    A = r - mean(r),

with p and p~ the accuracy of the ordered and of the shuffled answers (``group_accuracy``) and
alpha ``temporal_weight``. Advantages are not divided by the deviation of the group, which would
cancel a bonus that all right answers share (docs/temporal_bonus.md): ``reward.scale_rewards`` is
``none``, or ``batch`` for one deviation of the whole update. A tie pays nothing. All right answers
of a group earn alike, those that took a shortcut, too. p~ of few shuffled answers is noisy: with 4
its standard error is up to 0.25; ``rollout.shuffled_group_size`` may be as large as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.algorithms.grpo import own_rewards
from trainer.algorithms.tgrpo import VideoTGRPOTrainer, reward_of_groups
from trainer.config.variants import GapRecipe, GapRewardSettings
from trainer.data.rows import TrainingRow
from trainer.loops.rollout_run import rollout_run
from trainer.rewards.registry import choose_rewards, require_reward
from trainer.rewards.reward import Reward
from trainer.rewards.temporal import temporal_gap


def train(
    recipe: GapRecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = gap_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoGapTrainer(rollout=recipe.rollout, **run.arguments(rewards)))


def gap_rewards(settings: GapRewardSettings) -> list[Reward]:
    """Return the recipe's rewards; by default those of GRPO and the gap.

    Raises:
        UsageError: The recipe names its rewards without the gap.
    """
    own = reward_of_groups(
        temporal_gap.__name__,
        settings.temporal_weight,
        lambda ordered, shuffled: temporal_gap(ordered, shuffled, settings),
    )
    chosen = choose_rewards(settings.functions, [*own_rewards(settings), own])
    require_reward(chosen, own.name, VideoGapTrainer.algorithm)
    return chosen


class VideoGapTrainer(VideoTGRPOTrainer):
    """GRPO with a bonus as large as the gap between ordered and shuffled answers."""

    algorithm = "tgrpo-gap"
    bonus = temporal_gap.__name__
