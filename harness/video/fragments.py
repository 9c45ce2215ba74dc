"""Follows the boxes of a fragmented MP4 file, which states no number of frames, to its end.

A demuxer reads fragments (``moof``) as long as it finds them. Where the chain of boxes breaks, or
the last one is cut off, it ends without a word. Format: ISO/IEC 14496-12, 4.2 and 8.8.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

_FRAGMENT = b"moof"
_TRACK = b"traf"
_NO_FRAMES = (b"mfra", b"free", b"skip")
"""Boxes of which nothing is missed."""
_BLOCK = 1 << 16


class _Box(NamedTuple):
    """The header of a box."""

    start: int
    size: int
    """With the header; below 8 where no box begins."""
    name: bytes

    @property
    def is_sound(self) -> bool:
        """Whether a box begins here: its size holds its header, its name can be printed."""
        return self.size >= 8 and self.name.isascii() and self.name.decode().isprintable()


def find_break(path: Path) -> str | None:
    """Return what is wrong with the chain of boxes of a fragmented file; None for any other file.

    Zeros behind the last box are padding.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        place, fragmented = 0, False
        while place + 8 <= end:
            box = _read_box(file, place, end)
            fragmented = fragmented or box.name == _FRAGMENT
            if not box.is_sound:
                padding = not fragmented or _only_zeros(file, place)
                return None if padding else f"no box begins at byte {place}"
            place += box.size
            if place > end:
                return _cut_short(box, place - end) if fragmented else None
            if box.name == _FRAGMENT and not _is_filled(file, box):
                return f"the table of the fragment at byte {box.start} is damaged"
        return None


def _read_box(file: BinaryIO, place: int, end: int) -> _Box:
    file.seek(place)
    header = file.read(16)
    size, name = int.from_bytes(header[:4], "big"), header[4:8]
    if size == 1:
        size = int.from_bytes(header[8:16], "big")
    elif size == 0 and name == b"mdat":
        size = end - place
    return _Box(place, size, name)


def _is_filled(file: BinaryIO, outer: _Box) -> bool:
    """Return whether boxes fill a fragment, and its tracks, from start to end."""
    place, end = outer.start + 8, outer.start + outer.size
    while place < end:
        box = _read_box(file, place, end)
        if not box.is_sound:
            return False
        if (outer.name, box.name) == (_FRAGMENT, _TRACK) and not _is_filled(file, box):
            return False
        place += box.size
    return place == end


def _cut_short(box: _Box, missing: int) -> str | None:
    if box.name in _NO_FRAMES:
        return None
    return f"{missing} bytes of its last box, {box.name.decode()!r}, are missing"


def _only_zeros(file: BinaryIO, place: int) -> bool:
    file.seek(place)
    while block := file.read(_BLOCK):
        if any(block):
            return False
    return True
