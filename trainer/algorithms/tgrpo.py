"""T-GRPO: GRPO whose correct answers earn more where the order of the frames helped.

Each video prompt is also sampled with its frames in another order, in the same batch and without a
gradient; the bonus is paid where the ordered group is at least as often right (Video-R1,
section 3; settings and the code's differences: `trainer.config.sections`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from trainer.config.recipe import TGRPORecipe
from trainer.config.sections import (
    TemporalRewardSettings,
    TwinRolloutSettings,
)
from trainer.data.rows import TrainingRow
from trainer.loops.groups import Group, accuracies, group_metrics, temporal_metrics
from trainer.loops.inputs import PromptInputs
from trainer.loops.rollout_trainer import NAN, RolloutTrainer
from trainer.loops.setup import rollout_run
from trainer.rewards.rewards import (
    length_bonus,
    temporal_bonus,
)


def train(
    recipe: TGRPORecipe,
    out: Path,
    *,
    rows: Sequence[TrainingRow] | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    reward = recipe.reward
    with rollout_run(recipe, out, rows=rows, callbacks=callbacks) as run:
        run.train(
            VideoTGRPOTrainer(
                reward=reward,
                rollout=recipe.rollout,
                **run.arguments(weights=[reward.length_weight, reward.temporal_weight]),
            )
        )


class VideoTGRPOTrainer(RolloutTrainer):
    """GRPO with a shuffled twin of every video prompt."""

    def __init__(
        self, *, reward: TemporalRewardSettings, rollout: TwinRolloutSettings, **common: Any
    ) -> None:
        super().__init__(bonuses=[length_bonus, temporal_bonus], **common)
        self._reward = reward
        self._rollout = rollout

    def twins_of(self, rows: Sequence[PromptInputs]) -> Mapping[int, PromptInputs]:
        """Shuffle the prompts of the rows that `twin_places` picks, each distinct one once.

        An image, or a video of one frame, has no other order and gets no twin.
        """
        start = self.accelerator.process_index * len(rows)
        picked = twin_places(
            range(start, start + len(rows)), self._rollout.num_generations,
            self._rollout.shuffled_group_size,
        )  # fmt: skip
        shuffled: dict[str, PromptInputs | None] = {}
        for place in picked:
            row = rows[place - start]
            if row.failure is None and row.id not in shuffled:
                seed = permutation_seed(self.args.seed, self.state.global_step, row.id)
                shuffled[row.id] = self._inputs.shuffled(row, self._rollout.permutation, seed)
        twins = {place - start: shuffled.get(rows[place - start].id) for place in picked}
        return {at: twin for at, twin in twins.items() if twin is not None}

    def group_bonuses(self, group: Group) -> list[list[float]]:
        """Return the length bonus and, where there is a twin, the temporal bonus."""
        ordered, shuffled = accuracies(group.ordered), accuracies(group.shuffled)
        lengths = [answer.tokens for answer in group.ordered]
        helped = (
            temporal_bonus(ordered, shuffled, self._reward) if shuffled else [NAN] * len(ordered)
        )
        return [length_bonus(ordered, lengths, self._reward), helped]

    def metrics_of(self, groups: Sequence[Group], rewards: torch.Tensor) -> dict[str, float]:
        """Add the comparison with the twins."""
        bonus = rewards[:, self.reward_func_names.index(temporal_bonus.__name__)]
        earned = (bonus.view(len(groups), -1) > 0).any(dim=1).tolist()
        return {**group_metrics(groups), **temporal_metrics(groups, earned)}


def twin_places(places: Sequence[int], size: int, twins: int) -> list[int]:
    """Pick, of completions numbered over all processes, those that a twin is sampled beside.

    Every group of `size` gives `twins` of them, evenly spaced, wherever processes cut it.
    """
    return [
        place
        for place in places
        for at in [place % size]
        if (at + 1) * twins // size > at * twins // size
    ]


def permutation_seed(seed: int, step: int, row_id: str) -> int:
    """Return a seed that all processes of a run, resumed or not, agree on."""
    digest = hashlib.blake2b(f"{seed}:{step}:{row_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)
