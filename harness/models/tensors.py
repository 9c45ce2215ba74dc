"""Reads the header of a safetensors file and checks it against the file, without its tensors.

The format: https://huggingface.co/docs/safetensors/index#format. Offsets begin at 0, leave neither
gaps nor overlaps, and end with the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian; the header is JSON."""
MAX_HEADER_BYTES = 25_000_000
"""The largest header that is read, as in huggingface_hub; Qwen2.5-VL-72B has 16 kB per shard."""

_MAX_DIMENSIONS = 64
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Size of one number by the names that safetensors 0.7 knows."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says of one tensor."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]
    """First byte, and the byte after the last one, counted from the end of the header."""


def read_tensors(path: Path) -> Mapping[str, TensorInfo]:
    """Read the header of a safetensors file: the tensors by name.

    Raises:
        CheckpointError: The file ends within its header, or is not a safetensors file.
        FileNotFoundError: There is no such file.
    """
    entries = _parse_header(path)
    entries.pop("__metadata__", None)
    tensors = {}
    for name, entry in entries.items():
        try:
            tensors[name] = _read_entry(entry)
        except ValueError as error:
            raise CheckpointError(
                f"{path}: tensor {name[:200]!r}: {error}; fetch or save it again"
            ) from None
    return tensors


def header_bytes(path: Path) -> int:
    """Return the length of the header that a safetensors file declares, in bytes."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(LENGTH_BYTES), "little")


def expected_bytes(path: Path) -> int:
    """Return how long a safetensors file has to be according to its header, in bytes."""
    ends = [tensor.data_offsets[1] for tensor in read_tensors(path).values()]
    return LENGTH_BYTES + header_bytes(path) + max(ends, default=0)


def check_file(path: Path) -> Mapping[str, TensorInfo]:
    """Read the tensors of a file that is whole, as engines require it.

    Raises:
        CheckpointError: The file is cut short or too long, or tensors overlap or leave gaps.
    """
    tensors = read_tensors(path)
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, after = tensor.data_offsets
        if begin != end:
            what = "overlaps the one before it" if begin < end else "leaves a gap before it"
            raise CheckpointError(
                f"{path}: tensor {name[:200]!r} {what} (begins at byte {begin:,}, expected"
                f" {end:,}); fetch or save it again"
            )
        end = after
    size, expected = path.stat().st_size, LENGTH_BYTES + header_bytes(path) + end
    if size != expected:
        what = "is cut short" if size < expected else "is longer than its header says"
        raise CheckpointError(
            f"{path} {what} ({size:,} of {expected:,} bytes); fetch or save it again"
        )
    return tensors


def _parse_header(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > min(MAX_HEADER_BYTES, size - LENGTH_BYTES):
            raise _no_safetensors_error(path)
        try:
            content = json.loads(file.read(length), object_pairs_hook=_refuse_repeated)
        except (ValueError, RecursionError):
            raise _no_safetensors_error(path) from None
    if not isinstance(content, dict):
        raise _no_safetensors_error(path)
    return content


def _no_safetensors_error(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is cut short or is not a safetensors file; fetch or save it again"
    )


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name is there twice")
    return content


def _read_entry(entry: object) -> TensorInfo:
    """Return one entry of a header; raises `ValueError` for what is not one."""
    if not isinstance(entry, dict):
        raise ValueError("expected an object with dtype, shape and data_offsets")
    dtype = entry.get("dtype")
    shape, offsets = _read_counts(entry.get("shape")), _read_counts(entry.get("data_offsets"))
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"unknown dtype {str(dtype)[:40]!r}")
    if shape is None:
        raise ValueError("its shape is not a list of whole numbers from 0")
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError("its data_offsets are not [begin, end]")
    bits = math.prod(shape) * _BITS[dtype]
    if bits != 8 * (offsets[1] - offsets[0]):
        raise ValueError(
            f"{dtype} of shape {str(shape)[:60]} has {bits // 8:,} bytes, its data_offsets"
            f" {offsets[1] - offsets[0]:,}"
        )
    return TensorInfo(dtype, shape, (offsets[0], offsets[1]))


def _read_counts(value: object) -> list[int] | None:
    """Return a short list of whole numbers from 0; None for anything else."""
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        return None
    return value if all(type(one) is int and 0 <= one < 1 << 63 for one in value) else None
