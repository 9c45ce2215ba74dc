"""Load what a GRPO or T-GRPO run needs, and free it at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from trainer.config.choices import (
    RolloutEngine,
)
from trainer.config.recipe import GRPORecipe
from trainer.data.checks import require_media_files
from trainer.data.rows import TrainingRow
from trainer.loops.callbacks import MetricsFile
from trainer.loops.clips import ClipLoader
from trainer.loops.input_cache import make_input_cache
from trainer.loops.inputs import InputBuilder
from trainer.loops.model import Loaded, load, lora_config, train_on
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.loops.rollouts import PolicyRollouts, Rollouts
from trainer.loops.rollouts_server import ServerRollouts, connect_servers
from trainer.loops.trl_arguments import grpo_config
from trainer.loops.trl_names import GRPOConfig
from trainer.rewards.reward import Reward
from trainer.runs.folder import DistInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRun:
    """Everything that the trainer of a run is built from."""

    recipe: GRPORecipe
    out: Path
    rows: Sequence[TrainingRow]
    callbacks: Sequence[Any]
    loaded: Loaded
    config: GRPOConfig
    inputs: InputBuilder
    rollouts: Rollouts

    def arguments(self, rewards: Sequence[Reward]) -> dict[str, Any]:
        """Return the arguments of a `RolloutTrainer` with these rewards."""
        lora = self.recipe.model.lora
        self.config.reward_weights = [reward.weight for reward in rewards]
        return {
            "rewards": rewards,
            "rows": self.rows,
            "inputs": self.inputs,
            "vision_ids": self.loaded.vision_ids,
            "rollouts": self.rollouts,
            "share_prompts": self.recipe.rollout.share_prompt,
            "model": self.loaded.model,
            "processing_class": self.loaded.processor,
            "args": self.config,
            "peft_config": lora_config(lora) if lora else None,
            "callbacks": [MetricsFile(self.out), *self.callbacks],
        }

    def train(self, trainer: RolloutTrainer) -> None:
        """Train, from the last checkpoint where there is one."""
        if self.recipe.rollout.ahead:
            assert isinstance(self.rollouts, ServerRollouts)
            trainer.sample_ahead(self.rollouts)
        if self.recipe.rollout.filter_groups:
            trainer.filter_groups(self.recipe.rollout.max_filter_rounds)
        if self.recipe.reward.task_ema_decay is not None:
            trainer.scale_by_task(self.recipe.reward.task_ema_decay)
        train_on(trainer, self.out)


@contextmanager
def rollout_run(
    recipe: GRPORecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any],
) -> Iterator[RolloutRun]:
    """Load what a run needs; stop decoders and samplers at the end.

    Args:
        recipe: What to train, on what, and how.
        out: Folder of the run: ``checkpoint-N`` folders, ``metrics.jsonl``, ``completions.jsonl``.
        checkpoint: What training starts from.
        rows: The rows to train on.
        callbacks: Callbacks of transformers' Trainer, for progress or evaluation.

    Raises:
        UsageError: The checkpoint or the rows cannot be used for training, or the rows do not
            fill one update with whole groups.
    """
    recipe.require_enough_rows(len(rows), DistInfo.of_this_process().world_size)
    require_media_files(rows)
    loaded = load(checkpoint, recipe.model)
    config = grpo_config(recipe, out, loaded.vision_ids)  # also chooses the device of this process
    rollouts = _make_rollouts(recipe, loaded, out)
    with ClipLoader(
        recipe.frames, recipe.data, patch_multiple=loaded.checkpoint.patch_multiple
    ) as clips:
        inputs = InputBuilder(
            loaded.processor,
            clips,
            cache_mib=recipe.data.cache_mib,
            disk=make_input_cache(recipe, loaded.checkpoint),
        )
        try:
            yield RolloutRun(
                recipe=recipe,
                out=out,
                rows=rows,
                callbacks=callbacks,
                loaded=loaded,
                config=config,
                inputs=inputs,
                rollouts=rollouts,
            )
        finally:
            rollouts.close()
            inputs.close()


def _make_rollouts(recipe: GRPORecipe, loaded: Loaded, out: Path) -> Rollouts:
    if recipe.rollout.engine is RolloutEngine.TRANSFORMERS:
        return PolicyRollouts(share_prompt=_shares_prefill(recipe))
    vision_ids = sorted(loaded.vision_ids.values())
    if recipe.rollout.engine is RolloutEngine.VLLM_SERVER:
        return connect_servers(recipe, out, vision_ids)
    from trainer.loops.rollouts_vllm import VLLMRollouts, start_engine  # imports vLLM

    optim = recipe.optim
    ordered = optim.per_device_train_batch_size * optim.gradient_accumulation_steps
    beside_each = -(-recipe.shuffled_group_size // recipe.group_size)
    engine = start_engine(
        loaded.checkpoint, recipe.rollout, max_num_seqs=ordered * (1 + beside_each)
    )
    return VLLMRollouts(engine, recipe.rollout, vision_ids=vision_ids)


def _shares_prefill(recipe: GRPORecipe) -> bool:
    kind = recipe.trl.get("cache_implementation")
    if recipe.rollout.share_prompt and kind is not None:
        _log.warning(
            "the sampler computes a prompt once per completion: trl.cache_implementation %s cannot"
            " begin with a prompt that several completions share",
            kind,
        )
    return recipe.rollout.share_prompt and kind is None
