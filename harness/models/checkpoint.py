"""Finds the checkpoint that a user names: a folder, a LoRA adapter or a hub id.

A checkpoint is a folder as ``save_pretrained`` writes it: config, safetensors weights, tokenizer,
chat template and processor. Neither torch nor transformers is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CheckpointError
from harness.models.identity import Identity, adapter_identity, model_identity
from harness.models.parts import read_part, show_value
from harness.models.video_processor import patch_multiple
from harness.models.weights import ADAPTER_CONFIG

DOWNLOADED = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
_LARGEST_RANK = 4096
HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model on disk, complete enough for an engine to load."""

    spec: str
    """What the user named."""
    name: str
    """Display name."""
    path: Path
    """Folder of the full model; of the base model if there is an adapter."""
    adapter: Path | None
    """Folder of the LoRA adapter."""
    identity: Identity

    @property
    def patch_multiple(self) -> int:
        """What the sides of a frame are multiples of, in pixels; from the video processor."""
        return patch_multiple(self.path)

    @property
    def lora_rank(self) -> int:
        """Largest rank in the adapter; 0 without one."""
        if self.adapter is None:
            return 0
        return max(_read_ranks(self.adapter / ADAPTER_CONFIG))


def resolve(spec: str) -> Checkpoint:
    """Find the checkpoint named by a folder, a LoRA adapter folder or ``org/name[@revision]``.

    Raises:
        CheckpointError: There is no such checkpoint, or it lacks a part that engines need.
    """
    folder = _find_folder(spec)
    name = _display_name(spec, folder)
    if not (folder / ADAPTER_CONFIG).is_file():
        return Checkpoint(
            spec=spec, name=name, path=folder, adapter=None, identity=model_identity(folder)
        )
    _read_ranks(folder / ADAPTER_CONFIG)
    base = _base_folder(folder)
    return Checkpoint(
        spec=spec, name=name, path=base, adapter=folder, identity=adapter_identity(folder, base)
    )


def full_checkpoint(spec: str) -> Checkpoint:
    """Resolve a checkpoint that has weights of its own; an adapter is refused."""
    checkpoint = resolve(spec)
    if checkpoint.adapter is not None:
        raise CheckpointError(
            f"{spec} is an adapter; merge it into {checkpoint.path} before training it"
        )
    return checkpoint


def _find_folder(spec: str) -> Path:
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


def _read_ranks(path: Path) -> list[int]:
    """Read the rank of an adapter and those of single modules; each is 1 to 4096."""
    config = read_part(path)
    pattern = config.get("rank_pattern") or {}
    ranks = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else [pattern])]
    for rank in ranks:
        if type(rank) is not int or not 1 <= rank <= _LARGEST_RANK:
            raise CheckpointError(
                f"{path}: r: expected a whole number from 1 to {_LARGEST_RANK}, got"
                f" {show_value(rank)}; save the adapter again"
            )
    return [rank for rank in ranks if isinstance(rank, int)]


def _base_folder(adapter: Path) -> Path:
    """Find the model below an adapter: a folder, absolute or seen from either place, or a hub id.

    A relative path may lead out of the adapter's folder (``../base``): training runs are laid out
    like that, and the identity holds the base model's content.
    """
    base_folder = _find_base(adapter)
    if (base_folder / ADAPTER_CONFIG).is_file():
        raise CheckpointError(
            f"{adapter}: its base model {base_folder} is an adapter, too; merge that one first"
        )
    return base_folder


def _find_base(adapter: Path) -> Path:
    config = read_part(adapter / ADAPTER_CONFIG)
    base = config.get("base_model_name_or_path")
    if not base:
        raise CheckpointError(f"{adapter / ADAPTER_CONFIG} names no base_model_name_or_path")
    if not isinstance(base, str) or "\0" in base:
        raise CheckpointError(
            f"{adapter / ADAPTER_CONFIG}: base_model_name_or_path: expected a folder or hub id, got"
            f" {show_value(base)}"
        )
    if config.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{adapter} is a {config.get('peft_type')} adapter; only LORA adapters can be loaded,"
            " so merge it into its base model first"
        )
    if (adapter / base).is_dir():
        return Path(adapter / base).resolve()
    revision = config.get("revision")
    return _find_folder(f"{base}@{revision}" if revision and not Path(base).is_dir() else str(base))


def _display_name(spec: str, folder: Path) -> str:
    """Prefer ``run/checkpoint-100`` to ``checkpoint-100``, and a hub id to a snapshot hash."""
    if not Path(spec).expanduser().is_dir():
        return spec
    if re.fullmatch(r"checkpoint-\d+", folder.name):
        return f"{folder.parent.name}/{folder.name}"
    return folder.name
