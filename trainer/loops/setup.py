"""Turn a recipe into the arguments of a trainer, and load what a GRPO or T-GRPO run needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.models.checkpoint import Checkpoint
from trainer.config.choices import (
    Dtype,
    RolloutEngine,
)
from trainer.config.recipe import GRPORecipe, Recipe
from trainer.data.checks import require_media_files
from trainer.data.rows import TrainingRow
from trainer.loops.callbacks import MetricsFile
from trainer.loops.clips import ClipLoader
from trainer.loops.groups import GroupReward
from trainer.loops.inputs import InputBuilder
from trainer.loops.model import Loaded, load, lora_config, train_on
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.loops.rollouts import PolicyRollouts, Rollouts
from trainer.loops.trl_names import GRPOConfig
from trainer.runs.folder import DistInfo


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

    def arguments(self, rewards: Sequence[GroupReward]) -> dict[str, Any]:
        """Return the arguments of a `RolloutTrainer` with these rewards."""
        lora = self.recipe.model.lora
        self.config.reward_weights = [reward.weight for reward in rewards]
        return {
            "rewards": rewards,
            "rows": self.rows,
            "inputs": self.inputs,
            "vision_ids": self.loaded.vision_ids,
            "rollouts": self.rollouts,
            "model": self.loaded.model,
            "processing_class": self.loaded.processor,
            "args": self.config,
            "peft_config": lora_config(lora) if lora else None,
            "callbacks": [MetricsFile(self.out), *self.callbacks],
        }

    def train(self, trainer: RolloutTrainer) -> None:
        """Train, from the last checkpoint where there is one."""
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
    config = _grpo_config(recipe, out, loaded)  # also chooses the device of this process
    rollouts = _make_rollouts(recipe, loaded)
    with ClipLoader(
        recipe.frames, recipe.data, patch_multiple=loaded.checkpoint.patch_multiple
    ) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=recipe.data.cache_mib)
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


def make_config(kind: type, recipe: Recipe, out: Path, **arguments: Any) -> Any:
    """Build TRL's config of a recipe; its ``[trl]`` table replaces what is given here.

    Args:
        kind: `SFTConfig` or `GRPOConfig`.
        recipe: Its sections ``model``, ``optim`` and ``trl``.
        out: Folder of the run.
        arguments: Further fields, of one algorithm.

    Raises:
        UsageError: TRL refuses a value of the ``[trl]`` table.
    """
    given = {**_training_arguments(recipe, out), **arguments, **recipe.trl}
    try:
        return kind(**given)
    except (ValueError, TypeError, ImportError) as error:
        if recipe.trl:
            raise UsageError(f"{kind.__name__} refuses the [trl] table: {error}") from error
        raise


def _training_arguments(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Return the arguments of transformers' Trainer that SFT, GRPO and T-GRPO share."""
    import torch

    optim = recipe.optim
    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(out),
        "learning_rate": optim.learning_rate,
        "lr_scheduler_type": str(optim.lr_scheduler_type),
        "warmup_steps": optim.warmup_steps,
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "num_train_epochs": optim.num_train_epochs,
        "max_steps": optim.max_steps or -1,
        "per_device_train_batch_size": optim.per_device_train_batch_size,
        "gradient_accumulation_steps": optim.gradient_accumulation_steps,
        "gradient_checkpointing": optim.gradient_checkpointing,
        "seed": optim.seed,
        "save_strategy": "steps",
        "save_steps": optim.save_steps,
        "save_total_limit": optim.save_total_limit,
        "logging_steps": optim.logging_steps,
        "bf16": recipe.model.dtype is Dtype.BFLOAT16,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "disable_tqdm": True,  # the command shows progress itself
        "report_to": "tensorboard" if importlib.util.find_spec("tensorboard") else "none",
    }


def _make_rollouts(recipe: GRPORecipe, loaded: Loaded) -> Rollouts:
    if recipe.rollout.engine is RolloutEngine.TRANSFORMERS:
        return PolicyRollouts()
    from trainer.loops.rollouts_vllm import VLLMRollouts  # imports vLLM

    optim = recipe.optim
    return VLLMRollouts(
        loaded.checkpoint,
        recipe.rollout,
        # Shuffled prompts at most double the batch.
        max_num_seqs=2 * optim.per_device_train_batch_size * optim.gradient_accumulation_steps,
        vision_ids=sorted(loaded.vision_ids.values()),
    )


def _grpo_config(recipe: GRPORecipe, out: Path, loaded: Loaded) -> GRPOConfig:
    rollout, reward = recipe.rollout, recipe.reward
    config: GRPOConfig = make_config(
        GRPOConfig,
        recipe,
        out,
        num_generations=rollout.num_generations,
        generation_batch_size=recipe.sequences_per_update(DistInfo.of_this_process().world_size),
        max_completion_length=rollout.max_completion_length,
        temperature=rollout.temperature,
        top_p=rollout.top_p,
        # A sampled vision token would have no feature.
        generation_kwargs={"suppress_tokens": sorted(loaded.vision_ids.values())},
        beta=reward.beta,
        epsilon=reward.epsilon,
        loss_type="grpo",
        scale_rewards="group",
        use_bias_correction_kl=False,  # the paper's KL estimate has no such factor
    )
    return config
