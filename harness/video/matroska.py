"""Reads how long a Matroska or WebM file says it is, to tell a whole file from one that lost bytes.

Format: RFC 8794 (EBML) and RFC 9559 (Matroska): a header, then one segment that holds all else.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_HEADER = 0x1A45DFA3
_SEGMENT = 0x18538067


def count_missing_bytes(path: Path) -> int:
    """Return how many bytes the segment has more than the file holds; 0 if it states no size.

    Recorders that write a stream leave the size open.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        for name in (_HEADER, _SEGMENT):
            found = _read_number(file, keep_marker=True)
            size = _read_number(file, keep_marker=False)
            if found != name or size is None:
                return 0
            missing = file.tell() + size - end
            if missing > 0:  # no file system seeks as far as a damaged size says
                return missing
            file.seek(size, 1)
        return 0


def _read_number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """Read an id, which keeps the bit that marks its length, or a size, which does not.

    Returns:
        None at the end of the file, for a number of more than eight bytes, and for a size of all
        ones, which means unknown.
    """
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    content = first + file.read(length - 1)
    if len(content) < length:
        return None
    number = int.from_bytes(content, "big")
    if keep_marker:
        return number
    number -= 1 << 7 * length
    return None if number == (1 << 7 * length) - 1 else number
