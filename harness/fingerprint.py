"""SHA-256 fingerprints of the files a checkpoint consists of.

Small files are hashed whole. Weights are hashed by name, size, safetensors header and evenly spaced
blocks of every file: a training step changes that, and a 100 GB checkpoint takes milliseconds.
Header layout: https://huggingface.co/docs/safetensors (8 bytes of length, then JSON).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from harness.errors import CheckpointError

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
