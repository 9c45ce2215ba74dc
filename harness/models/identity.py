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

from harness.errors import CheckpointError
from harness.models.chat_template import JINJA, LEGACY, find_chat_template
from harness.models.config_check import check_configs
from harness.models.parts import read_optional_part, read_part, require_file
from harness.models.weights import ADAPTER_CONFIG, hash_weights, require_weights

CONFIG_FILES = ("config.json", "generation_config.json")
VOCABULARY_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
TOKENIZER_FILES = (
    *VOCABULARY_FILES,
    "tokenizer_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
TEMPLATE_FILES = (JINJA, LEGACY)
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
    check_configs(folder)
    for name in VOCABULARY_FILES:
        if name.endswith(".json"):
            read_optional_part(folder / name)
    template = _hash_template(folder)
    return {
        "weights": hash_weights(require_weights(folder)),
        "config": hash_files(_find_files(folder, CONFIG_FILES)),
        "tokenizer": hash_files(_find_files(folder, TOKENIZER_FILES)),
        "chat_template": template,
        "processor": hash_files(_find_files(folder, PROCESSOR_FILES)),
    }


def adapter_identity(folder: Path, base: Path) -> Identity:
    """Hash a LoRA adapter folder and the model folder `base` below it.

    The path of the base model in the adapter's config does not count, its content does.
    """
    config = {**read_part(folder / ADAPTER_CONFIG), "base_model_name_or_path": None}
    return {
        "adapter": _hash_json(config),
        "weights": hash_weights(require_weights(folder)),
        "base": model_identity(base),
    }


def hash_files(files: Iterable[Path]) -> str:
    """Hash names and contents of small files, in the order given; a SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _find_files(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]


def _hash_template(folder: Path) -> str:
    """Hash the chat template: its file, or what a config holds for it."""
    template = find_chat_template(folder)
    files = _find_files(folder, TEMPLATE_FILES)
    if files:
        return hash_files(files)
    if template.place.is_dir():
        return hash_files(sorted(template.place.glob("*.jinja")))
    return _hash_json(template.stored)


def _hash_json(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
