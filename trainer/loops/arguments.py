"""The part of a recipe that becomes arguments of the Hugging Face trainers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from trainer.choices import Precision, Schedule
from trainer.sections import ModelSettings, OptimSettings

_SCHEDULES = {
    Schedule.CONSTANT: "constant_with_warmup",
    Schedule.LINEAR: "linear",
    Schedule.COSINE: "cosine",
}


def common_arguments(optim: OptimSettings, model: ModelSettings, out: Path) -> dict[str, Any]:
    """Return the arguments that SFT, GRPO and T-GRPO share."""
    import torch

    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(out),
        "learning_rate": optim.learning_rate,
        "lr_scheduler_type": _SCHEDULES[optim.schedule],
        "warmup_steps": optim.warmup_steps,
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "num_train_epochs": optim.epochs,
        "max_steps": optim.steps or -1,
        "per_device_train_batch_size": optim.batch_size,
        "gradient_accumulation_steps": optim.accumulation,
        "gradient_checkpointing": optim.gradient_checkpointing,
        "seed": optim.seed,
        "save_strategy": "steps",
        "save_steps": optim.save_steps,
        "save_total_limit": optim.keep_checkpoints,
        "logging_steps": optim.logging_steps,
        "bf16": model.precision is Precision.BFLOAT16,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "disable_tqdm": True,  # progress is the command's, and a log may go to a file
        "report_to": "tensorboard" if importlib.util.find_spec("tensorboard") else "none",
    }
