"""Checks the ``[trl]`` table of a recipe: any further field of TRL's ``SFTConfig``/``GRPOConfig``.

What a section of the recipe sets, or what the training loops rely on, cannot be set there. That is
checked when the recipe is read; names and types are checked against TRL's class, which imports
torch, before a model is loaded.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from harness.errors import UsageError

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "bf16": "set model.dtype",
        "fp16": "set model.dtype",
        "use_vllm": "set rollout.engine",
        "reward_weights": "set reward.functions, or the weights in [reward]",
        "dataloader_num_workers": "set data.decode_workers",
        "output_dir": "use --out",
        "resume_from_checkpoint": "run the same command again to resume",
        "hub_token": "run `hf auth login`; a recipe is stored with the run",
    }
)
"""TRL's fields that a recipe or flag sets under another name."""

_RELIED_ON: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rows are read, batched and padded by videor1": (
            "remove_unused_columns", "dataset_kwargs", "dataset_text_field", "dataset_num_proc",
            "max_length", "truncation_mode", "packing", "packing_strategy", "padding_free",
            "eval_packing", "completion_only_loss", "assistant_only_loss", "pad_token",
            "eos_token", "pad_to_multiple_of", "dataloader_prefetch_factor",
            "dataloader_persistent_workers", "label_names", "length_column_name",
            "train_sampling_strategy",
        ),
        "the model is loaded by videor1": (
            "model_init_kwargs", "trust_remote_code", "chat_template_path",
            "chat_template_kwargs", "parallelism_config",
        ),
        "completions are sampled by videor1": (
            "generation_kwargs", "use_transformers_continuous_batching",
            "transformers_continuous_batching_config", "use_transformers_paged",
            "max_tool_calling_iterations", "vllm_mode", "vllm_model_impl",
            "vllm_structured_outputs_regex", "vllm_server_base_url", "vllm_server_host",
            "vllm_server_port", "vllm_group_port", "vllm_max_model_length",
            "vllm_tensor_parallel_size",
        ),
        "an update takes exactly one batch of completions": (
            "generation_batch_size", "steps_per_generation", "auto_find_batch_size",
        ),
        "a run resumes from, and is watched by, its checkpoints": (
            "save_strategy", "save_only_model", "ignore_data_skip",
        ),
        "checkpoints are evaluated by `videor1 watch`": (
            "do_eval", "do_predict", "eval_strategy", "eval_steps", "eval_delay", "eval_on_start",
            "per_device_eval_batch_size", "eval_accumulation_steps", "num_generations_eval",
            "load_best_model_at_end", "metric_for_best_model", "greater_is_better",
        ),
        "progress is shown by videor1": ("disable_tqdm",),
        "a run stops at an update that is not finite": ("logging_nan_inf_filter",),
    }
)  # fmt: skip
"""TRL's fields that the training loops rely on or never read, by the reason."""

SAMPLING = ("top_k", "min_p", "repetition_penalty", "cache_implementation")
"""Fields that only the transformers rollout engine gets."""

CORRECTION = "vllm_importance_sampling_correction"
"""The field that weights completions by how likely the policy and the sampler find them."""


def refuse_owned(trl: Mapping[str, Any], sections: Mapping[str, type]) -> None:
    """Raise `ValueError` for a field that is set elsewhere or that the training loops rely on.

    Args:
        trl: The table.
        sections: The dataclass of each section of the recipe, by name.
    """
    for name in trl:
        owner = next(_find_owners(name, sections), None)
        if owner is not None:
            raise ValueError(f"trl.{name} cannot be set: {owner}")


def check_fields(trl: Mapping[str, Any], config: type) -> None:
    """Check names and types of the table against TRL's config class.

    Raises:
        UsageError: The class has no such field, or the value has another type.
    """
    fields = {field.name: field for field in dataclasses.fields(config) if field.init}
    hints = get_type_hints(config) if trl else {}
    for name, value in trl.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=3)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise UsageError(f"trl.{name}: {config.__name__} has no such field{hint}")
        choices = fields[name].metadata.get("choices")
        if choices and value not in choices:
            raise UsageError(
                f"trl.{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}"
            )
        _check_type(name, value, hints[name])


def _find_owners(name: str, sections: Mapping[str, type]) -> Iterator[str]:
    for section, kind in sections.items():
        if name in {field.name for field in dataclasses.fields(kind)}:
            yield f"set {section}.{name}"
    if name in _OTHER_NAMES:
        yield _OTHER_NAMES[name]
    for reason, names in _RELIED_ON.items():
        if name in names:
            yield reason


def _check_type(name: str, value: Any, hint: Any) -> None:
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    try:
        adapter = TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return  # a class of another library, which TRL checks itself
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError:
        expected = getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint)
        raise UsageError(f"trl.{name}: expected {expected}, got {value!r}") from None
