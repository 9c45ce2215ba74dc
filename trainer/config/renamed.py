"""Old names of recipe fields, refused in recipes and translated in stored runs.

Fields took the names of transformers, TRL and peft; a run that was started under the old names
resumes under the new ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.config import NO_PRESETS, read_toml
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


def refuse_old_settings(
    path: Path,
    assignments: Sequence[str],
    renamed: Mapping[str, str] = RENAMED,
    presets: Mapping[str, Path] = NO_PRESETS,
) -> None:
    """Raise `UsageError` with the new name where a file or a ``--set`` uses an old one.

    Args:
        path: The TOML file, merged over the one that it extends.
        assignments: ``section.field=value`` strings.
        renamed: Old to new name, as ``section.field``.
        presets: Shipped files by name, which the file may extend.
    """
    content = read_toml(path, (), presets)
    for old, new in renamed.items():
        *sections, field = old.split(".")
        if field in _find_table(content, sections):
            raise UsageError(f"{path}: {old} is now called {new}")
        for assignment in assignments:
            key = assignment.partition("=")[0].strip()
            if key == old or key.startswith(f"{old}."):
                raise UsageError(f"--set {assignment}: {old} is now called {new}")


def rename_fields(
    content: Mapping[str, Any], renamed: Mapping[str, str] = RENAMED
) -> dict[str, Any]:
    """Return stored settings with today's field names; a field stays in its table."""
    changed = copy.deepcopy(dict(content))
    for old, new in renamed.items():
        *sections, field = old.split(".")
        table = _find_table(changed, sections)
        if field in table:
            table[new.rpartition(".")[2]] = table.pop(field)
    return changed


def with_new_names(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of a stored run with today's field names."""
    renamed = {"trl": {}, **rename_fields(recipe)}
    optim = renamed.get("optim", {})
    if "schedule" in recipe.get("optim", {}) and optim["lr_scheduler_type"] == "constant":
        optim["lr_scheduler_type"] = "constant_with_warmup"  # what it became in transformers
    if "rollout" in renamed:  # before there was a choice, every completion had a copy of its prompt
        new = {"ahead": 0, "filter_groups": False, "max_filter_rounds": 8}
        renamed["rollout"] = {"share_prompt": False, **new, **renamed["rollout"]}
    if "model" in renamed:
        renamed["model"] = {"load_in_4bit": False, **renamed["model"]}
    if "reward" in renamed:
        renamed["reward"] = {"functions": [], "task_ema_decay": None, **renamed["reward"]}
    return renamed


def _find_table(content: Mapping[str, Any], sections: list[str]) -> Any:
    """Return a nested table, an empty one where there is none."""
    table: Any = content
    for name in sections:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}
