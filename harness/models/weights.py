"""Lists, reads and hashes the safetensors files of a checkpoint, without loading a tensor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, UsageError
from harness.files import read_json

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
INDEX = "model.safetensors.index.json"

BLOCKS_PER_FILE = 64
BLOCK_BYTES = 4096
LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian; the header is JSON."""


def weight_files(folder: Path) -> list[Path]:
    """List the weight files of a folder, sorted by name; files of an index may not exist yet.

    Returns:
        The adapter's file where there is an adapter, else the shards that the index names, else
        every safetensors file.

    Raises:
        CheckpointError: The index is damaged.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        return [folder / ADAPTER_WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        return sorted(path for path in folder.glob("*.safetensors") if path.name != ADAPTER_WEIGHTS)
    try:
        shards = set(read_json(index)["weight_map"].values())
    except (UsageError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{index} is damaged ({error}); fetch or save it again") from None
    return [folder / shard for shard in sorted(shards)]


def read_tensors(path: Path) -> Mapping[str, Any]:
    """Read the header of a safetensors file; returns huggingface_hub's `TensorInfo` by name.

    It has the `shape`, `dtype` and `data_offsets` of a tensor.

    Raises:
        CheckpointError: The file ends within its header, or is not a safetensors file.
        FileNotFoundError: There is no such file.
    """
    from huggingface_hub import parse_local_safetensors_file_metadata
    from huggingface_hub.errors import SafetensorsParsingError

    try:
        tensors: Mapping[str, Any] = parse_local_safetensors_file_metadata(path).tensors
    except SafetensorsParsingError:
        raise CheckpointError(
            f"{path} is cut short or is not a safetensors file; fetch or save it again"
        ) from None
    return tensors


def expected_bytes(path: Path) -> int:
    """Return how long a safetensors file has to be according to its header, in bytes."""
    ends = [tensor.data_offsets[1] for tensor in read_tensors(path).values()]
    return LENGTH_BYTES + _header_bytes(path) + max(ends, default=0)


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
        size, header = path.stat().st_size, _header_bytes(path)
        tensors = size - LENGTH_BYTES - header
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            file.seek(LENGTH_BYTES)
            digest.update(file.read(header))
            for block in range(BLOCKS_PER_FILE):
                file.seek(LENGTH_BYTES + header + tensors * block // BLOCKS_PER_FILE)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


def _header_bytes(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(LENGTH_BYTES), "little")
