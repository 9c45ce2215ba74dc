"""Tells a lost block of a file, which reads as zeros, from the zeros that encoders may write.

Decoders take zeros for picture content. H.264, HEVC and MPEG-4 keep start codes out of their
data, so they never write so many zero bytes in a row inside a unit; encoders of constant bit rate
put them behind one (docs/sources.md, "Video containers"). A unit whose end is lost is left to the
decoder, which runs out of data. The other codecs may write dozens of zeros where a picture is flat,
but never a whole disk block.
"""

from __future__ import annotations

from collections.abc import Iterator

_UNIT_HOLE = bytes(8)
_BLOCK_HOLE = bytes(512)
_BY_UNITS = frozenset({"h264", "hevc", "mpeg4"})
_BY_BLOCKS = frozenset({"av1", "vp8", "vp9"})
_START = b"\0\0\1"


def has_hole(packet: bytes, codec: str, extradata: bytes | None) -> bool:
    """Return whether a packet holds zeros that no encoder writes.

    Args:
        packet: The bytes of the packet.
        codec: libav's name of the codec.
        extradata: The codec's header in the container; it says how units are delimited.
    """
    if codec in _BY_BLOCKS:
        return _BLOCK_HOLE in packet
    if codec not in _BY_UNITS or _UNIT_HOLE not in packet:
        return False
    size = _length_size(codec, extradata or b"")
    units = _units_by_length(packet, size) if size else _units_by_start_code(packet)
    return any(_UNIT_HOLE in unit.rstrip(b"\0") for unit in units)


def _length_size(codec: str, extradata: bytes) -> int:
    """Return the bytes of the length before each unit; 0: units are found by start codes.

    The headers are those of ISO/IEC 14496-15, avcC and hvcC.
    """
    if codec == "h264" and len(extradata) >= 7 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) >= 23 and (any(extradata[:2]) or extradata[2] > 1):
        return (extradata[21] & 3) + 1
    return 0


def _units_by_length(packet: bytes, size: int) -> Iterator[bytes]:
    """Yield the units of a packet; a length of 0 before the end is damage, shown as zeros."""
    place = 0
    while place < len(packet):
        length = int.from_bytes(packet[place : place + size], "big")
        if not length:
            if any(packet[place:]):
                yield packet[place:]
            return
        yield packet[place + size : place + size + length]
        place += size + length


def _units_by_start_code(packet: bytes) -> Iterator[bytes]:
    """Yield what lies between start codes; zeros before the first one belong to no unit."""
    first, *units = packet.split(_START)
    if any(first):
        yield first
    yield from units
