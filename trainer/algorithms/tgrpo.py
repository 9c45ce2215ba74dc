"""T-GRPO: GRPO with a bonus for correct completions where the order of the frames helped.

Each video prompt is also sampled with its frames in another order, in the same batch and without a
gradient; the bonus is paid where the ordered group is at least as often right (Video-R1,
arXiv 2503.21776, section 3). The settings are in `trainer.config.sections`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.errors import UsageError
from harness.models.checkpoint import Checkpoint
from trainer.algorithms.grpo import own_rewards
from trainer.config.recipe import TGRPORecipe
from trainer.config.sections import (
    TemporalRewardSettings,
    TGRPORolloutSettings,
)
from trainer.data.rows import TrainingRow
from trainer.loops.groups import (
    accuracies,
    group_metrics,
    temporal_metrics,
)
from trainer.loops.inputs import PromptInputs
from trainer.loops.rollout_run import rollout_run
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.rewards.completions import NOT_APPLICABLE, CompletionGroup
from trainer.rewards.registry import choose_rewards
from trainer.rewards.reward import Reward
from trainer.rewards.rewards import temporal_bonus


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

    def bonus(group: CompletionGroup) -> list[float]:
        ordered, shuffled = accuracies(group.ordered), accuracies(group.shuffled)
        if not shuffled:
            return [NOT_APPLICABLE] * len(ordered)
        return temporal_bonus(ordered, shuffled, settings)

    name = temporal_bonus.__name__
    own = Reward(name=name, weight=settings.temporal_weight, of_group=bonus)
    chosen = choose_rewards(settings.functions, [*own_rewards(settings), own])
    if name not in [reward.name for reward in chosen]:
        raise UsageError(
            f"reward.functions lacks {name}, without which T-GRPO is GRPO with more to sample; add"
            f' {{use = "{name}"}} or train with `videor1 train grpo`'
        )
    return chosen


class VideoTGRPOTrainer(RolloutTrainer):
    """GRPO that also samples every video prompt with shuffled frames."""

    algorithm = "tgrpo"

    def __init__(self, *, rollout: TGRPORolloutSettings, **common: Any) -> None:
        super().__init__(**common)
        self._rollout = rollout

    def shuffled_prompts(self, rows: Sequence[PromptInputs]) -> Mapping[int, PromptInputs]:
        """Shuffle the prompts of the rows that `shuffled_places` picks, each distinct one once.

        An image, or a video of one frame, has no other order and is left out.
        """
        start = self.accelerator.process_index * len(rows)
        picked = shuffled_places(
            range(start, start + len(rows)), self._rollout.num_generations,
            self._rollout.shuffled_group_size,
        )  # fmt: skip
        prompts: dict[str, PromptInputs | None] = {}
        for place in picked:
            row = rows[place - start]
            if row.failure is None and row.id not in prompts:
                seed = permutation_seed(self.args.seed, self.state.global_step, row.id)
                prompts[row.id] = self._inputs.shuffled(row, self._rollout.permutation, seed)
        by_index = {place - start: prompts.get(rows[place - start].id) for place in picked}
        return {at: prompt for at, prompt in by_index.items() if prompt is not None}

    def step_metrics(
        self, groups: Sequence[CompletionGroup], rewards: torch.Tensor
    ) -> dict[str, float]:
        """Add the comparison of ordered with shuffled completions."""
        bonus = rewards[:, self.reward_func_names.index(temporal_bonus.__name__)]
        earned = (bonus.view(len(groups), -1) > 0).any(dim=1).tolist()
        return {**group_metrics(groups), **temporal_metrics(groups, earned)}


def shuffled_places(places: Sequence[int], size: int, shuffled: int) -> list[int]:
    """Return the completions beside which a shuffled one is sampled.

    Every group of `size` gets `shuffled` of them, evenly spaced, however processes divide it.

    Args:
        places: Completions of this process, numbered over all processes.
        size: Ordered completions of a group.
        shuffled: Shuffled completions of a group, at most `size`.
    """
    return [
        place
        for place in places
        for at in [place % size]
        if (at + 1) * shuffled // size > at * shuffled // size
    ]


def permutation_seed(seed: int, step: int, row_id: str) -> int:
    """Return a seed that all processes of a run agree on, also after a resume."""
    digest = hashlib.blake2b(f"{seed}:{step}:{row_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)
