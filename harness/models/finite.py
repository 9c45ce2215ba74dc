"""Looks for numbers in weight files that are not finite: a model with one answers nothing.

All of a small checkpoint is read, of a large one two blocks of every tensor: a training that
diverges leaves NaN in nearly every weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import CheckpointError
from harness.models.tensors import LENGTH_BYTES, TensorInfo, header_bytes

WHOLE_BYTES = 256 << 20
"""Checkpoints up to this size are read whole, which takes a fraction of a second."""
BLOCK_BYTES = 64 << 10
_STEP_BYTES = 8 << 20

_EXPONENTS: Mapping[str, tuple[str, int]] = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
"""Unsigned integer of a float's size, and its exponent's bits: all are set in NaN and infinity."""


def require_finite(files: Mapping[Path, Mapping[str, TensorInfo]]) -> None:
    """Raise `CheckpointError` for a weight that is NaN or infinite, with file and tensor.

    Args:
        files: The tensors of whole files, as `tensors.check_file` returns them.
    """
    total = sum(path.stat().st_size for path in files)
    for path, tensors in files.items():
        start = LENGTH_BYTES + header_bytes(path)
        with path.open("rb") as file:
            for name, tensor in tensors.items():
                if tensor.dtype not in _EXPONENTS:
                    continue
                for offset, length in _blocks(tensor, whole=total <= WHOLE_BYTES):
                    file.seek(start + offset)
                    if _has_non_finite(file.read(length), tensor.dtype):
                        raise CheckpointError(
                            f"{path}: tensor {name!r} holds NaN or infinity, so the model would"
                            " answer nothing; take an earlier checkpoint, or save it again"
                        )


def _blocks(tensor: TensorInfo, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Yield offset and length, in bytes, of what is read of a tensor."""
    begin, end = tensor.data_offsets
    if whole or end - begin <= 2 * BLOCK_BYTES:
        for offset in range(begin, end, _STEP_BYTES):
            yield offset, min(_STEP_BYTES, end - offset)
        return
    middle = begin + (end - begin) // 2 // BLOCK_BYTES * BLOCK_BYTES
    for offset in (begin, middle):
        yield offset, min(BLOCK_BYTES, end - offset)


def _has_non_finite(block: bytes, dtype: str) -> bool:
    kind, mask = _EXPONENTS[dtype]
    bits: NDArray[np.unsignedinteger] = np.frombuffer(block, dtype=kind)
    return bool(((bits & bits.dtype.type(mask)) == mask).any())
