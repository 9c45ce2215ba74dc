"""Checks the configuration files of a checkpoint before an engine reads them.

Only what every model that is read here has to fulfil: types, sizes above 0, sizes that two files
share. Which further fields an architecture needs is known to the engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.parts import object_at, read_optional_part, read_part, show_value

CONFIG, GENERATION = "config.json", "generation_config.json"
PROCESSORS = ("processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json")
NESTED = ("image_processor", "video_processor")

_SECTIONS = ("text_config", "vision_config", "llm_config", "thinker_config")
_SIZES = frozenset({
    "depth", "embed_dim", "head_dim", "hidden_size", "in_channels", "in_chans", "intermediate_size",
    "max_position_embeddings", "merge_size", "num_attention_heads", "num_heads",
    "num_hidden_layers", "num_key_value_heads", "out_hidden_size", "patch_size",
    "spatial_merge_size", "spatial_patch_size", "temporal_patch_size", "vocab_size",
})  # fmt: skip
_TOKENS = frozenset({
    "bos_token_id", "eos_token_id", "image_token_id", "image_token_index", "pad_token_id",
    "video_token_id", "video_token_index", "vision_end_token_id", "vision_start_token_id",
})  # fmt: skip
_LARGEST = 1 << 31


def check_configs(folder: Path) -> None:
    """Check config.json, the generation config and the processor configs of a model folder.

    Raises:
        CheckpointError: A file is damaged or a field cannot be right; the message names both.
    """
    path = folder / CONFIG
    config = read_part(path)
    if not config:
        raise CheckpointError(f"{path} is an empty object; copy it from the base model")
    _check_config(config, path)
    _check_fields("", read_optional_part(folder / GENERATION), folder / GENERATION)
    for name in PROCESSORS:
        _check_processor(read_optional_part(folder / name), folder / name)
    _check_shared_sizes(folder, config)


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("model_type")
    if kind is not None and (not isinstance(kind, str) or not kind):
        raise _field_error(path, "model_type", "a name", kind)
    _check_fields("", config, path)
    for section in _SECTIONS:
        _check_fields(f"{section}.", object_at(config, section, path), path)


def _check_processor(config: Mapping[str, Any], path: Path) -> None:
    _check_fields("", config, path)
    for part in NESTED:
        nested = object_at(config, part, path)
        _check_fields(f"{part}.", nested, path)
        _check_colours(f"{part}.", nested, path)
    _check_colours("", config, path)


def _check_fields(prefix: str, config: Mapping[str, Any], path: Path) -> None:
    for name, value in config.items():
        if value is None:
            continue
        if name in _SIZES and not all(_is_size(one) for one in _flatten(value)):
            raise _field_error(path, prefix + name, "a whole number above 0", value)
        if name in _TOKENS and not all(_is_token(one) for one in _flatten(value)):
            raise _field_error(path, prefix + name, "the number of a token, or several", value)


def _check_colours(prefix: str, config: Mapping[str, Any], path: Path) -> None:
    """Check what colours are normalised with; a standard deviation of 0 makes them infinite."""
    for name in ("image_mean", "image_std"):
        value = config.get(name)
        numbers = list(_flatten(value)) if value is not None else []
        if not all(_is_number(one) for one in numbers):
            raise _field_error(path, prefix + name, "numbers", value)
        if name == "image_std" and not all(numbers):
            raise _field_error(path, prefix + name, "numbers other than 0", value)
    factor = config.get("rescale_factor")
    if factor is not None and not _is_number(factor):
        raise _field_error(path, f"{prefix}rescale_factor", "a number", factor)


def _check_shared_sizes(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise where the processor cuts other patches than the model takes: no prompt would fit."""
    from harness.models.video_processor import video_processor_config

    model = object_at(config, "vision_config", folder / CONFIG)
    processor = video_processor_config(folder)
    pairs = {
        "patch_size": "patch_size",
        "merge_size": "spatial_merge_size",
        "temporal_patch_size": "temporal_patch_size",
    }
    for ours, theirs in pairs.items():
        one, other = processor.get(ours), model.get(theirs)
        if type(one) is int and type(other) is int and one != other:
            raise CheckpointError(
                f"{folder}: the video processor's {ours} is {one}, and {CONFIG} says"
                f" vision_config.{theirs} = {other}; copy both from the base model"
            )


def _flatten(value: object) -> Iterator[object]:
    """Yield a value, or those of a list or an object (``{"height": 14, "width": 14}``)."""
    if isinstance(value, list) and value:
        yield from value
    elif isinstance(value, dict) and value:
        yield from value.values()
    else:
        yield value


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value < _LARGEST


def _is_token(value: object) -> bool:
    # Published configs say "no such token" with -1.
    return type(value) is int and -1 <= value < _LARGEST


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and value == value and abs(value) != float("inf")  # type: ignore[arg-type]


def _field_error(path: Path, name: str, expected: str, value: object) -> CheckpointError:
    return CheckpointError(
        f"{path}: {name}: expected {expected}, got {show_value(value)}; copy it from the base model"
    )
