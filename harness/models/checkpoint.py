"""Which model is evaluated: a folder, a LoRA adapter or a hub id, and its identity.

A checkpoint is a folder as ``save_pretrained`` writes it: config, safetensors weights, tokenizer,
chat template and processor. What the engines would miss is named here, before any of them starts.

The identity holds one SHA-256 per part. Neither torch nor transformers is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

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
NESTED_PROCESSOR = "processor_config.json"
PROCESSOR_FILES = (NESTED_PROCESSOR, "video_preprocessor_config.json", "preprocessor_config.json")
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
DOWNLOADED = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")

DEFAULT_PATCH_MULTIPLE = 28
HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")

Identity = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model on disk, complete enough for an engine to load."""

    spec: str
    """What the user named."""
    name: str
    """Display name."""
    path: Path
    """Folder of the full model; of the base model where there is an adapter."""
    adapter: Path | None
    """Folder of the LoRA adapter."""
    identity: Identity
    """SHA-256 per part; nested under ``base`` for the model below an adapter."""

    @property
    def patch_multiple(self) -> int:
        """Multiple that frame sides must have; 28 where the processor does not say."""
        processor = _video_processor(self.path)
        patch, merge = processor.get("patch_size"), processor.get("merge_size")
        if isinstance(patch, int) and isinstance(merge, int):
            return patch * merge
        return DEFAULT_PATCH_MULTIPLE

    @property
    def lora_rank(self) -> int:
        """Largest rank in the adapter; 0 without one."""
        if self.adapter is None:
            return 0
        config = _read_json(self.adapter / ADAPTER_CONFIG)
        return max(int(rank) for rank in (config["r"], *config.get("rank_pattern", {}).values()))


def resolve(spec: str) -> Checkpoint:
    """Find the checkpoint named by a folder, a LoRA adapter folder or ``org/name[@revision]``."""
    folder = _locate(spec)
    name = _display_name(spec, folder)
    if not (folder / ADAPTER_CONFIG).is_file():
        whole = _model_identity(folder)
        return Checkpoint(spec=spec, name=name, path=folder, adapter=None, identity=whole)
    base = _base_folder(folder)
    identity: Identity = {
        "adapter": _hash_json(
            {**_read_json(folder / ADAPTER_CONFIG), "base_model_name_or_path": None}
        ),
        "weights": hash_weights([_required(folder, ADAPTER_WEIGHTS)]),
        "base": _model_identity(base),
    }
    return Checkpoint(spec=spec, name=name, path=base, adapter=folder, identity=identity)


def _locate(spec: str) -> Path:
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.exists():
        raise CheckpointError(f"{spec} is a file; name the folder that holds config.json")
    match = HUB_ID.fullmatch(spec)
    if match is None:
        raise CheckpointError(f"{spec} is neither a folder nor a hub id (org/name[@revision])")
    return _download(match["repo"], match["revision"])


def _download(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        # Both the hub's HTTP errors (OSError) and its id checks (ValueError) end here.
        folder: str = snapshot_download(repo, revision=revision, allow_patterns=list(DOWNLOADED))
        return Path(folder)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"{repo}: there is no such folder, and the hub did not give it"
            f"{f' at revision {revision}' if revision else ''}: {reason}"
        ) from error


def _base_folder(adapter: Path) -> Path:
    config = _read_json(adapter / ADAPTER_CONFIG)
    base = config.get("base_model_name_or_path")
    if not base:
        raise CheckpointError(f"{adapter / ADAPTER_CONFIG} names no base_model_name_or_path")
    if config.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{adapter} is a {config.get('peft_type')} adapter; only LORA adapters can be loaded,"
            " so merge it into its base model first"
        )
    if (adapter / base).is_dir():
        return Path(adapter / base).resolve()
    revision = config.get("revision")
    return _locate(f"{base}@{revision}" if revision and not Path(base).is_dir() else str(base))


def _model_identity(folder: Path) -> dict[str, str]:
    _required(folder, "config.json")
    for part, names in (("tokenizer", VOCABULARY_FILES), ("processor config", PROCESSOR_FILES)):
        if not _present(folder, names):
            raise CheckpointError(
                f"{folder} has no {part} ({' or '.join(names)}); copy it from the base model, or"
                " call processor.save_pretrained() there"
            )
    return {
        "weights": hash_weights(_weight_files(folder)),
        "config": hash_files(_present(folder, CONFIG_FILES)),
        "tokenizer": hash_files(_present(folder, TOKENIZER_FILES)),
        "chat_template": _hash_template(folder),
        "processor": hash_files(_present(folder, PROCESSOR_FILES)),
    }


def _required(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {name}; is it a folder save_pretrained() wrote?")
    return path


def _present(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]


def _weight_files(folder: Path) -> list[Path]:
    """List the weights: the shards of the index, or every safetensors file without one."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(_read_json(index)["weight_map"].values()))
        return [_required(folder, shard) for shard in shards]
    found = sorted(path for path in folder.glob("*.safetensors") if path.name != ADAPTER_WEIGHTS)
    if not found:
        raise CheckpointError(f"{folder} has no weights (*.safetensors)")
    return found


def _hash_template(folder: Path) -> str:
    """Hash the chat template, which lives in its own file or inside one of two configs."""
    files = _present(folder, TEMPLATE_FILES)
    if files:
        return hash_files(files)
    for path in _present(folder, ("processor_config.json", "tokenizer_config.json")):
        template = _read_json(path).get("chat_template")
        if template:
            return _hash_json(template)
    raise CheckpointError(
        f"{folder} has no chat template (chat_template.jinja); copy it from the base model"
    )


def _video_processor(folder: Path) -> dict[str, Any]:
    """Find the settings that frames are processed with, in the order transformers looks."""
    configs = [(path.name, _read_json(path)) for path in _present(folder, PROCESSOR_FILES)]
    nested = next((content for name, content in configs if name == NESTED_PROCESSOR), {})
    flat = next((content for name, content in configs if name != NESTED_PROCESSOR), {})
    found: dict[str, Any] = (
        nested.get("video_processor") or flat or nested.get("image_processor", {})
    )
    return found


def _hash_json(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not an object")
    return content


def _display_name(spec: str, folder: Path) -> str:
    """Prefer ``run/checkpoint-100`` to ``checkpoint-100``, and a hub id to a snapshot hash."""
    if not Path(spec).expanduser().is_dir():
        return spec
    if re.fullmatch(r"checkpoint-\d+", folder.name):
        return f"{folder.parent.name}/{folder.name}"
    return folder.name


def full_checkpoint(spec: str) -> Checkpoint:
    """Resolve a checkpoint that has weights of its own; an adapter is refused."""
    checkpoint = resolve(spec)
    if checkpoint.adapter is not None:
        raise CheckpointError(
            f"{spec} is an adapter; merge it into {checkpoint.path} before training it"
        )
    return checkpoint


BLOCKS_PER_FILE = 64

BLOCK_BYTES = 4096

LENGTH_BYTES = 8


def hash_files(files: Iterable[Path]) -> str:
    """Hash names and contents of small files, in the order given."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def hash_weights(files: Iterable[Path]) -> str:
    """Hash safetensors files by a sample of their content.

    Raises:
        CheckpointError: A file ends within its header, as after an interrupted download.
    """
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            header = int.from_bytes(file.read(LENGTH_BYTES), "little")
            tensors = size - LENGTH_BYTES - header
            if tensors < 0:
                raise CheckpointError(f"{path} is cut short or no safetensors file; fetch it again")
            digest.update(file.read(header))
            for block in range(BLOCKS_PER_FILE):
                file.seek(LENGTH_BYTES + header + tensors * block // BLOCKS_PER_FILE)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


def tensor_names(path: Path) -> list[str]:
    """List the tensors of a safetensors file without reading them."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(LENGTH_BYTES), "little")))
    return [name for name in header if name != "__metadata__"]
