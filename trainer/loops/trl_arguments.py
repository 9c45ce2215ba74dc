"""Turns a recipe into TRL's training arguments: `SFTConfig` or `GRPOConfig`.

docs/recipes.md has a table of which field of a recipe becomes which argument.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from trainer.config.choices import Dtype
from trainer.config.recipe import GRPORecipe, Recipe
from trainer.loops.trl_names import GRPOConfig
from trainer.runs.folder import DistInfo

_PACKAGES = {
    "clearml": "clearml",
    "codecarbon": "codecarbon",
    "comet_ml": "comet-ml",
    "dagshub": "dagshub",
    "dvclive": "dvclive",
    "mlflow": "mlflow",
    "neptune": "neptune",
    "swanlab": "swanlab",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "wandb": "wandb",
}
"""Packages of the trackers that transformers knows; those that it can have without one are left
out."""


def make_config(kind: type, recipe: Recipe, out: Path, **arguments: Any) -> Any:
    """Build TRL's config of a recipe; its ``[trl]`` table replaces what is given here.

    Args:
        kind: `SFTConfig` or `GRPOConfig`.
        recipe: Its sections ``model``, ``optim`` and ``trl``.
        out: Folder of the run.
        arguments: Further fields, of one algorithm.

    Raises:
        UsageError: TRL refuses a value of the ``[trl]`` table, or a tracker that it names is not
            installed.
    """
    given = {**_training_arguments(recipe, out), **arguments, **recipe.trl}
    try:
        config = kind(**given)
    except (ValueError, TypeError, ImportError) as error:
        if recipe.trl:
            raise UsageError(f"{kind.__name__} refuses the [trl] table: {error}") from error
        raise
    _require_trackers(config.report_to)
    return config


def _require_trackers(names: Collection[str]) -> None:
    """Raise for a tracker of transformers whose package is not installed.

    transformers would say so when it builds its trainer, after the model has been loaded. A name
    that it does not know is its own error.
    """
    from transformers import integrations

    available = integrations.get_available_reporting_integrations()
    for name in names:
        if name in _PACKAGES and name not in available:
            raise UsageError(
                f"trl.report_to: {name} is not installed; install it with: pip install"
                f" {_PACKAGES[name]}, or leave it out"
            )


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
        "logging_nan_inf_filter": False,  # it would hide the loss from `FiniteUpdates`
        "bf16": recipe.model.dtype is Dtype.BFLOAT16,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "disable_tqdm": True,  # the command shows progress itself
        "report_to": "tensorboard" if importlib.util.find_spec("tensorboard") else "none",
    }


def grpo_config(recipe: GRPORecipe, out: Path, vision_ids: Mapping[str, int]) -> GRPOConfig:
    """Build the `GRPOConfig` of a GRPO or T-GRPO recipe.

    Args:
        recipe: What to train, and how.
        out: Folder of the run.
        vision_ids: Ids of the model's vision tokens, which are never sampled.

    Raises:
        UsageError: TRL refuses a value of the ``[trl]`` table.
    """
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
        generation_kwargs={"suppress_tokens": sorted(vision_ids.values())},
        beta=reward.beta,
        epsilon=reward.epsilon,
        loss_type="grpo",
        scale_rewards=recipe.scale_rewards,
        use_bias_correction_kl=False,  # the paper's KL estimate has no such factor
    )
    return config


def name_for_trl(name: str) -> Callable[..., Any]:
    """Return a function of that name: TRL names columns after functions that are never called."""

    def reward(**_: Any) -> Any:
        raise AssertionError(f"{name} is computed by RolloutTrainer._calculate_rewards")

    reward.__name__ = name
    return reward
