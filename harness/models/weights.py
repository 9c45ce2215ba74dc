"""Finds, checks and hashes the weight files of a checkpoint, without loading a tensor.

Engines choose files by rules of their own (transformers 5.19 ``_get_resolved_checkpoint_files``,
vLLM 0.32 ``DefaultModelLoader._prepare_weights``): transformers prefers model.safetensors to an
index, vLLM takes consolidated*.safetensors first and without an index every file. A folder of which
they would load different files is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import CheckpointError
from harness.models.finite import require_finite
from harness.models.layers import require_layers
from harness.models.parts import read_optional_part, read_part, require_file
from harness.models.tensors import (
    LENGTH_BYTES,
    check_file,
    expected_bytes,
    header_bytes,
    read_tensors,
)

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "INDEX",
    "expected_bytes",
    "hash_weights",
    "read_tensors",
    "require_weights",
    "weight_files",
]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

BLOCKS_PER_FILE = 64
BLOCK_BYTES = 4096
_AGAIN = "fetch or save it again"


def weight_files(folder: Path) -> list[Path]:
    """List the weight files of a folder, sorted by name; files of an index may not exist yet.

    Returns:
        The adapter's file where there is an adapter, else the shards that the index names, else
        every safetensors file.

    Raises:
        CheckpointError: The index is damaged, or names a file outside of the folder.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        return [folder / ADAPTER_WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        return sorted(path for path in folder.glob("*.safetensors") if path.name != ADAPTER_WEIGHTS)
    return [folder / shard for shard in sorted(set(_read_weight_map(index).values()))]


def require_weights(folder: Path) -> list[Path]:
    """List the weight files of a folder that every engine loads, checked as far as that is cheap.

    Raises:
        CheckpointError: Files or tensors are missing, damaged or not finite, or engines would load
            different files of the folder.
    """
    files = [require_file(folder, path.name) for path in weight_files(folder)]
    if not files:
        others = _name_other_formats(folder)
        raise CheckpointError(f"{folder} has no weights (*.safetensors){others}")
    _refuse_ambiguous(folder, [path.name for path in files])
    tensors = {path: check_file(path) for path in files}
    place: dict[str, Path] = {}
    for path, found in tensors.items():
        for name in found:
            if name in place:
                raise CheckpointError(
                    f"{folder}: tensor {name!r} is in {place[name].name} and in {path.name};"
                    f" {_AGAIN}"
                )
            place[name] = path
    if (folder / INDEX).is_file() and not (folder / ADAPTER_CONFIG).is_file():
        for name, shard in _read_weight_map(folder / INDEX).items():
            if place.get(name) != folder / shard:
                raise CheckpointError(
                    f"{folder / INDEX}: tensor {name[:200]!r} is not in {shard}; {_AGAIN}"
                )
    if not place:
        raise CheckpointError(f"{folder}: its weight files hold no tensor; {_AGAIN}")
    if not (folder / ADAPTER_CONFIG).is_file():
        require_layers(folder, place, read_optional_part(folder / "config.json"))
    require_finite(tensors)
    return files


def hash_weights(files: Iterable[Path]) -> str:
    """Hash safetensors files by a sample of their content.

    Name, size and header of each file count in full, its tensors by 64 blocks of 4 KiB that are
    spread evenly: a training step changes nearly every weight, and reading 16 GB takes minutes.

    Returns:
        A SHA-256 in hexadecimal.

    Raises:
        CheckpointError: A file ends within its header, as after an interrupted download.
    """
    digest = hashlib.sha256()
    for path in files:
        read_tensors(path)
        size, header = path.stat().st_size, header_bytes(path)
        tensors = size - LENGTH_BYTES - header
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            file.seek(LENGTH_BYTES)
            digest.update(file.read(header))
            for block in range(BLOCKS_PER_FILE):
                file.seek(LENGTH_BYTES + header + tensors * block // BLOCKS_PER_FILE)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


def _read_weight_map(index: Path) -> dict[str, str]:
    """Read which file holds a tensor; raises `CheckpointError` unless all are in the folder."""
    weight_map = read_part(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} is damaged (it has no weight_map); {_AGAIN}")
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not shard.endswith(".safetensors"):
            raise CheckpointError(
                f"{index} is damaged (weight_map: {name[:200]!r}: expected the name of a"
                f" safetensors file, got {str(shard)[:100]!r}); {_AGAIN}"
            )
        if "\0" in shard or Path(shard).name != shard:
            raise CheckpointError(
                f"{index}: weight_map: {name[:200]!r} leads to {shard[:200]!r}; every weight file"
                " has to lie in the folder itself"
            )
    return weight_map


def _refuse_ambiguous(folder: Path, loaded: Sequence[str]) -> None:
    """Raise `CheckpointError` where one engine would load other files than `loaded`."""
    if (folder / ADAPTER_CONFIG).is_file():
        model = [path.name for path in _model_files(folder)]
        if model:
            raise CheckpointError(
                f"{folder} holds an adapter ({ADAPTER_WEIGHTS}) and a model ({_join(model)}); move"
                " one of them to a folder of its own"
            )
        return
    explicit = read_optional_part(folder / "config.json").get("transformers_weights")
    if explicit is not None and [explicit] not in (list(loaded), [INDEX]):
        raise CheckpointError(
            f"{folder / 'config.json'}: transformers_weights names {str(explicit)[:100]!r}, which"
            f" transformers alone would load, and the folder holds {_join(loaded)}; remove it"
        )
    present = [path.name for path in sorted(folder.glob("*.safetensors"))]
    first = [name for name in present if name.startswith("consolidated")]
    by_transformers = [SINGLE] if SINGLE in present else []
    if (folder / INDEX).is_file():
        by_vllm = first or list(loaded)
        by_transformers = by_transformers or list(loaded)
    else:
        by_vllm = first or present
    if by_vllm == by_transformers:
        return
    if not by_transformers:
        raise CheckpointError(
            f"{folder} has neither {SINGLE} nor {INDEX}, so engines do not agree on what to load of"
            f" {_join(by_vllm)}; save the model with save_pretrained()"
        )
    raise CheckpointError(
        f"{folder} holds several sets of weights: transformers would load {_join(by_transformers)},"
        f" vLLM {_join(by_vllm)}; keep one set"
    )


def _model_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if path.name != ADAPTER_WEIGHTS)


def _name_other_formats(folder: Path) -> str:
    """Return a hint at weights in a format that is not read, for the end of a message."""
    others = [
        path.name
        for pattern in ("*.bin", "*.pt", "*.pth", "*.gguf")
        for path in sorted(folder.glob(pattern))
    ]
    if not others:
        return ""
    return f"; {_join(others)} is not read: convert it with save_pretrained()"


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
