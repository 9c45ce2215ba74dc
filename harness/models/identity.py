"""Hashes the parts of a checkpoint folder: the identity that a run's manifest records.

One SHA-256 per part (weights, config, tokenizer, chat template, processor), so that a difference
between two runs can be named. Parts that every engine needs are required here, before one starts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, UsageError
from harness.files import read_json
from harness.models.weights import ADAPTER_CONFIG, hash_weights, weight_files

CONFIG_FILES = ("config.json", "generation_config.json")
VOCABULARY_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
TOKENIZER_FILES = (
    *VOCABULARY_FILES,
    "tokenizer_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
PROCESSOR_FILES = (
    "processor_config.json",
    "video_preprocessor_config.json",
    "preprocessor_config.json",
)

Identity = Mapping[str, Any]
"""SHA-256 by part; nested under ``base`` for the model below an adapter."""


def model_identity(folder: Path) -> Identity:
    """Hash a model folder as ``save_pretrained`` writes it.

    Raises:
        CheckpointError: A part is missing or damaged; the message says which and where to get it.
    """
    require_file(folder, "config.json")
    for part, names in (("tokenizer", VOCABULARY_FILES), ("processor config", PROCESSOR_FILES)):
        if not _find_files(folder, names):
            raise CheckpointError(
                f"{folder} has no {part} ({' or '.join(names)}); copy it from the base model, or"
                " call processor.save_pretrained() there"
            )
    return {
        "weights": _hash_required_weights(folder),
        "config": hash_files(_find_files(folder, CONFIG_FILES)),
        "tokenizer": hash_files(_find_files(folder, TOKENIZER_FILES)),
        "chat_template": _hash_template(folder),
        "processor": hash_files(_find_files(folder, PROCESSOR_FILES)),
    }


def adapter_identity(folder: Path, base: Path) -> Identity:
    """Hash a LoRA adapter folder and the model folder `base` below it.

    The path of the base model in the adapter's config does not count, its content does.
    """
    config = {**read_part(folder / ADAPTER_CONFIG), "base_model_name_or_path": None}
    return {
        "adapter": _hash_json(config),
        "weights": _hash_required_weights(folder),
        "base": model_identity(base),
    }


def hash_files(files: Iterable[Path]) -> str:
    """Hash names and contents of small files, in the order given; a SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def read_part(path: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint; raises `CheckpointError` for anything but an object."""
    try:
        return read_json(path)
    except UsageError as error:
        raise CheckpointError(str(error)) from error


def require_file(folder: Path, name: str) -> Path:
    """Return a file of a checkpoint; raises `CheckpointError` where it is missing."""
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {name}; is it a folder save_pretrained() wrote?")
    return path


def _find_files(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]


def _hash_required_weights(folder: Path) -> str:
    files = weight_files(folder)
    if not files:
        raise CheckpointError(f"{folder} has no weights (*.safetensors)")
    return hash_weights([require_file(folder, path.name) for path in files])


def _hash_template(folder: Path) -> str:
    """Hash the chat template, which is in its own file or inside one of two configs."""
    files = _find_files(folder, TEMPLATE_FILES)
    if files:
        return hash_files(files)
    for path in _find_files(folder, ("processor_config.json", "tokenizer_config.json")):
        template = read_part(path).get("chat_template")
        if template:
            return _hash_json(template)
    raise CheckpointError(
        f"{folder} has no chat template (chat_template.jinja); copy it from the base model"
    )


def _hash_json(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
