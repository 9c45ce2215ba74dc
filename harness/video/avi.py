"""Counts the picture chunks of an AVI file, with the empty ones that stand for dropped frames.

Format: Microsoft, "AVI RIFF File Reference" (docs/sources.md, "Video containers").
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

_LISTS = (b"RIFF", b"LIST")
_ENTERED = (b"AVI ", b"AVIX", b"movi", b"rec ")


class ChunkCount(NamedTuple):
    """Picture chunks of one stream that lie whole in the file."""

    all: int
    empty: int


def count_chunks(path: Path, stream: int) -> ChunkCount:
    """Count the picture chunks of a stream; counting ends where the file's structure does."""
    sizes: list[int] = []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        _walk_chunks(file, end, b"%02dd" % stream, sizes)
    return ChunkCount(all=len(sizes), empty=sizes.count(0))


def _walk_chunks(file: BinaryIO, end: int, prefix: bytes, sizes: list[int]) -> None:
    """Append the size of every chunk whose name begins with `prefix`; lists are entered."""
    while file.tell() + 8 <= end:
        name, size = file.read(4), int.from_bytes(file.read(4), "little")
        begin = file.tell()
        if name in _LISTS:
            if file.read(4) not in _ENTERED:
                file.seek(begin + size + size % 2)
            continue
        if not name.strip(b"\0") or begin + size > end:
            return
        if name.startswith(prefix):
            sizes.append(size)
        file.seek(begin + size + size % 2)
