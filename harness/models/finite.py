"""Looks for numbers in weight files that are not finite: a model with one answers nothing.

Every weight is read, once, which takes 0.2 to 0.3 s per GB from memory on one core; from a disk it
takes as long as the disk does, and the engine then reads what is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.errors import CheckpointError
from harness.models.tensors import LENGTH_BYTES, TensorInfo, header_bytes

_STEP_BYTES = 1 << 20
_SHOWN_BYTES = 2 << 30
"""From this size on a bar is shown on a terminal."""

_EXPONENTS: Mapping[str, tuple[str, int]] = {
    "F64": ("u8", 0x7FF0_0000_0000_0000),
    "F32": ("u4", 0x7F80_0000),
    "F16": ("u2", 0x7C00),
    "BF16": ("u2", 0x7F80),
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
}
"""Unsigned integer of a float's size, and the bits of its smallest number that is not finite."""


def require_finite(files: Mapping[Path, Mapping[str, TensorInfo]]) -> None:
    """Raise `CheckpointError` for a weight that is NaN or infinite, with file and tensor.

    Args:
        files: The tensors of whole files, as `tensors.check_file` returns them.
    """
    with _show_reading(sum(path.stat().st_size for path in files)) as advance:
        for path, tensors in files.items():
            start = LENGTH_BYTES + header_bytes(path)
            with path.open("rb", buffering=0) as file:
                for name, tensor in tensors.items():
                    if tensor.dtype in _EXPONENTS and not _is_finite(file, start, tensor):
                        raise CheckpointError(
                            f"{path}: tensor {name!r} holds NaN or infinity, so the model would"
                            " answer nothing; take an earlier checkpoint, or save it again"
                        )
                    advance(tensor.data_offsets[1] - tensor.data_offsets[0])


def _is_finite(file: IO[bytes], start: int, tensor: TensorInfo) -> bool:
    """Return whether all numbers of a tensor are finite.

    As integers, numbers that are not finite are the largest: positive ones among the signed,
    negative ones among the unsigned.
    """
    import numpy as np

    kind, first = _EXPONENTS[tensor.dtype]
    begin, end = tensor.data_offsets
    file.seek(start + begin)
    while begin < end:
        block = file.read(min(_STEP_BYTES, end - begin))
        block += file.read(-len(block) % int(kind[1]))  # a read may be cut anywhere
        if not block:
            return True  # the file was cut meanwhile; the engine will say so
        begin += len(block)
        bits = np.frombuffer(block, dtype=f"<{kind}")
        sign = 1 << (8 * bits.itemsize - 1)
        if bits.view(f"<i{kind[1]}").max() >= first or bits.max() >= sign | first:
            return False
    return True


@contextmanager
def _show_reading(size: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while a large checkpoint is read; give what advances it."""
    from harness.text.console import make_console

    console = make_console(stderr=True)
    if size < _SHOWN_BYTES or not console.is_terminal:
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("checking weights"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=size)
        yield lambda count: progress.advance(bar, count)
