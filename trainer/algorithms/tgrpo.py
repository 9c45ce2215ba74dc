"""T-GRPO: GRPO with a bonus for correct completions where the order of the frames helped.

Each video prompt is also sampled with its frames in another order, in the same batch and without a
gradient; the bonus is paid where the ordered group is at least as often right (Video-R1,
arXiv 2503.21776, section 3): r + alpha for every right answer where p(ordered) >= mu p(shuffled).
Divided by the group's deviation it hardly changes an advantage: docs/temporal_bonus.md. The
settings are in `trainer.config.rl_sections`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.models.checkpoint import Checkpoint
from trainer.algorithms.grpo import own_rewards
from trainer.config.recipe import TGRPORecipe
from trainer.config.rl_sections import TemporalRewardSettings, TGRPORolloutSettings
from trainer.data.rows import TrainingRow
from trainer.loops.groups import (
    accuracies,
    group_metrics,
    temporal_metrics,
)
from trainer.loops.inputs import PromptInputs
from trainer.loops.rollout_run import rollout_run
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.loops.shuffled_twins import make_twins, shuffled_places
from trainer.rewards.completions import NOT_APPLICABLE, CompletionGroup
from trainer.rewards.registry import choose_rewards, require_reward
from trainer.rewards.reward import Reward
from trainer.rewards.temporal import temporal_bonus


def train(
    recipe: TGRPORecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = tgrpo_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(VideoTGRPOTrainer(rollout=recipe.rollout, **run.arguments(rewards)))


def tgrpo_rewards(settings: TemporalRewardSettings) -> list[Reward]:
    """Return the recipe's rewards; by default those of GRPO and the temporal bonus.

    Raises:
        UsageError: The recipe names its rewards without the temporal bonus.
    """
    own = reward_of_groups(
        temporal_bonus.__name__,
        settings.temporal_weight,
        lambda ordered, shuffled: temporal_bonus(ordered, shuffled, settings),
    )
    chosen = choose_rewards(settings.functions, [*own_rewards(settings), own])
    require_reward(chosen, own.name, "T-GRPO")
    return chosen


def reward_of_groups(
    name: str, weight: float, compare: Callable[[Sequence[float], Sequence[float]], list[float]]
) -> Reward:
    """Return a reward by the accuracies of ordered and shuffled completions of a group.

    Args:
        name: Of the reward.
        weight: In the sum of rewards.
        compare: Returns the reward of each ordered completion; not called for a group without
            shuffled ones, such as an image's, to which the reward does not apply.
    """

    def of_group(group: CompletionGroup) -> list[float]:
        ordered, shuffled = accuracies(group.ordered), accuracies(group.shuffled)
        return compare(ordered, shuffled) if shuffled else [NOT_APPLICABLE] * len(ordered)

    return Reward(name=name, weight=weight, of_group=of_group)


class VideoTGRPOTrainer(RolloutTrainer):
    """GRPO that also samples every video prompt with shuffled frames."""

    algorithm = "tgrpo"
    bonus: str | None = temporal_bonus.__name__
    """The reward that groups earn by the comparison, if there is one."""

    def __init__(self, *, rollout: TGRPORolloutSettings, **common: Any) -> None:
        super().__init__(**common)
        self._rollout = rollout

    def shuffled_prompts(
        self, rows: Sequence[PromptInputs], step: int
    ) -> Mapping[int, Sequence[PromptInputs]]:
        """Shuffle the prompts of the rows that `shuffled_places` picks, each distinct one once."""
        start = self.accelerator.process_index * len(rows)
        picked = shuffled_places(
            range(start, start + len(rows)), self._rollout.num_generations,
            self._rollout.shuffled_group_size,
        )  # fmt: skip
        twins = make_twins(
            self._inputs, (rows[place - start] for place in picked), self._rollout.permutation,
            seed=self.args.seed, step=step,
        )  # fmt: skip
        beside: dict[int, list[PromptInputs]] = {}
        for place in picked:
            twin = twins.get(rows[place - start].id)
            if twin is not None:
                beside.setdefault(place - start, []).append(twin)
        return beside

    def step_metrics(
        self, groups: Sequence[CompletionGroup], rewards: torch.Tensor
    ) -> dict[str, float]:
        """Add the comparison of ordered with shuffled completions."""
        earned: list[bool] | None = None
        if self.bonus is not None:
            bonus = rewards[:, self.reward_func_names.index(self.bonus)]
            earned = (bonus.view(len(groups), -1) > 0).any(dim=1).tolist()
        return {**group_metrics(groups), **temporal_metrics(groups, earned)}
