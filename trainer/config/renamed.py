"""Old names of recipe fields, refused in recipes and translated in stored runs.

Fields took the names of transformers, TRL and peft; a run that was started under the old names
resumes under the new ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.errors import UsageError

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "model.precision": "model.dtype",
        "model.attention": "model.attn_implementation",
        "model.lora.rank": "model.lora.r",
        "model.lora.alpha": "model.lora.lora_alpha",
        "model.lora.dropout": "model.lora.lora_dropout",
        "model.lora.targets": "model.lora.target_modules",
        "optim.schedule": "optim.lr_scheduler_type",
        "optim.epochs": "optim.num_train_epochs",
        "optim.steps": "optim.max_steps",
        "optim.batch_size": "optim.per_device_train_batch_size",
        "optim.accumulation": "optim.gradient_accumulation_steps",
        "optim.keep_checkpoints": "optim.save_total_limit",
        "rollout.group_size": "rollout.num_generations",
        "rollout.max_completion_tokens": "rollout.max_completion_length",
        "rollout.vllm_memory_share": "rollout.vllm_gpu_memory_utilization",
    }
)
"""Old to new, as ``section.field``."""


def refuse_old_names(content: Mapping[str, Any], where: str) -> None:
    """Raise `UsageError` with the new name where a recipe uses an old one.

    Args:
        content: The tables of a recipe.
        where: The file or flag that they come from, for the message.
    """
    for old, new in RENAMED.items():
        *sections, field = old.split(".")
        if field in _find_table(content, sections):
            raise UsageError(f"{where}: {old} is now called {new}")


def with_new_names(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of a stored run with today's field names."""
    renamed = copy.deepcopy(dict(recipe))
    for old, new in RENAMED.items():
        *sections, field = old.split(".")
        table = _find_table(renamed, sections)
        if field in table:
            table[new.rpartition(".")[2]] = table.pop(field)
    optim = renamed.get("optim", {})
    if "schedule" in recipe.get("optim", {}) and optim["lr_scheduler_type"] == "constant":
        optim["lr_scheduler_type"] = "constant_with_warmup"  # what it became in transformers
    return renamed


def _find_table(content: Mapping[str, Any], sections: list[str]) -> Any:
    """Return a nested table, an empty one where there is none."""
    table: Any = content
    for name in sections:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}
