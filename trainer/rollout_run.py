"""Setting up a GRPO or T-GRPO run: from a recipe to the arguments of its trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from trainer.arguments import common_arguments
from trainer.clips import ClipLoader
from trainer.config import GRPORecipe
from trainer.data import TrainingRow, read_training_rows
from trainer.guards import require_media
from trainer.inputs import InputBuilder
from trainer.logs import MetricsFile
from trainer.model import Loaded, load, lora_config
from trainer.resume import last_checkpoint
from trainer.rollout_trainer import RolloutTrainer
from trainer.rollouts import PolicyRollouts, Rollouts
from trainer.run import Place
from trainer.sections import RolloutEngine
from trainer.trl_names import GRPOConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRun:
    """All that the trainer of a run is built from."""

    recipe: GRPORecipe
    out: Path
    rows: Sequence[TrainingRow]
    callbacks: Sequence[Any]
    loaded: Loaded
    config: GRPOConfig
    inputs: InputBuilder
    rollouts: Rollouts

    def arguments(self, *, weights: Sequence[float]) -> dict[str, Any]:
        """Return the arguments of a `RolloutTrainer`; `weights` are those of its group rewards."""
        lora = self.recipe.model.lora
        self.config.reward_weights = [1.0, self.recipe.reward.format_weight, *weights]
        return {
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
        trainer.train(resume_from_checkpoint=last_checkpoint(self.out))


@contextmanager
def rollout_run(
    recipe: GRPORecipe,
    out: Path,
    *,
    rows: Sequence[TrainingRow] | None,
    callbacks: Sequence[Any],
) -> Iterator[RolloutRun]:
    """Load what a run needs, and free decoders and samplers behind it.

    Args:
        recipe: What to train, on what, and how.
        out: Folder of the run: ``checkpoint-N`` folders, ``metrics.jsonl``, ``completions.jsonl``.
        rows: The rows to train on; None reads all of the recipe's.
        callbacks: Of transformers' Trainer, for progress or evaluation.

    Raises:
        UsageError: The checkpoint or the rows cannot be trained on, or groups do not fill a batch.
    """
    if rows is None:
        rows = read_training_rows(recipe.data.rows, recipe.data.media_roots)
    require_media(rows)
    loaded = load(recipe.model)
    config = _grpo_config(recipe, out, loaded)  # it also chooses this process's device
    rollouts = _sampler(recipe, loaded)
    with ClipLoader(recipe.frames, recipe.data, grid=loaded.checkpoint.frame_grid) as clips:
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


def _sampler(recipe: GRPORecipe, loaded: Loaded) -> Rollouts:
    if recipe.rollout.engine is RolloutEngine.TRANSFORMERS:
        return PolicyRollouts()
    from trainer.rollouts_vllm import VLLMRollouts  # it loads vLLM

    optim = recipe.optim
    return VLLMRollouts(
        loaded.checkpoint,
        recipe.rollout,
        max_num_seqs=2 * optim.batch_size * optim.accumulation,  # twins at most double them
        vision_ids=sorted(loaded.vision_ids.values()),
    )


def _grpo_config(recipe: GRPORecipe, out: Path, loaded: Loaded) -> GRPOConfig:
    rollout, reward = recipe.rollout, recipe.reward
    return GRPOConfig(
        **common_arguments(recipe.optim, recipe.model, out),
        num_generations=rollout.group_size,
        generation_batch_size=_completions_per_update(recipe),
        max_completion_length=rollout.max_completion_tokens,
        temperature=rollout.temperature,
        top_p=rollout.top_p,
        # A sampled placeholder would stand for a feature that does not exist.
        generation_kwargs={"suppress_tokens": sorted(loaded.vision_ids.values())},
        beta=reward.beta,
        epsilon=reward.epsilon,
        loss_type="grpo",
        scale_rewards="group",
        use_bias_correction_kl=False,  # the paper's estimate of KL has no such factor
    )


def _completions_per_update(recipe: GRPORecipe) -> int:
    """Return the completions of one update over all processes; groups have to be whole."""
    optim, size = recipe.optim, recipe.rollout.group_size
    processes = Place.of_this_process().processes
    completions = optim.batch_size * optim.accumulation * processes
    if completions % size:
        raise UsageError(
            f"rollout.group_size {size} does not divide the {completions} completions of an update"
            f" (optim.batch_size {optim.batch_size} x accumulation {optim.accumulation}"
            f" x {processes} processes)"
        )
    return completions
