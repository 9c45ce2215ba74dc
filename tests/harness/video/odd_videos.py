"""Makes videos as cameras, browsers and editors write them: each sound, none of them plain."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from tests.clips import HEIGHT, WIDTH, picture

ZEROS = bytes(40)


def replace_box(content: bytes, path: Sequence[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """Replace the payload of the MP4 box at a path such as moov, trak, tkhd; sizes follow."""
    place = 0
    while place < len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        if name == path[0]:
            inner = content[place + 8 : place + size]
            changed = change(inner) if len(path) == 1 else replace_box(inner, path[1:], change)
            box = struct.pack(">I4s", 8 + len(changed), name) + changed
            return content[:place] + box + content[place + size :]
        place += size
    raise AssertionError(f"no box {path[0]!r}")


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write the display matrix of the track; the moov box has to stand at the end of the file."""
    numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]

    def change(header: bytes) -> bytes:
        return header[:40] + struct.pack(">9i", *numbers) + header[76:]

    path.write_bytes(replace_box(path.read_bytes(), [b"moov", b"trak", b"tkhd"], change))
    return path


def set_edits(path: Path, edits: Sequence[tuple[int, int]]) -> Path:
    """Replace the edit list by (duration in ms, media time in stream units; -1: nothing shown)."""
    rows = b"".join(struct.pack(">IiI", length, start, 1 << 16) for length, start in edits)
    table = struct.pack(">II", 0, len(edits)) + rows
    box = struct.pack(">I4s", 8 + len(table), b"elst") + table
    path.write_bytes(replace_box(path.read_bytes(), [b"moov", b"trak", b"edts"], lambda _: box))
    return path


def media_time(path: Path, frame: int) -> int:
    """Return the media time of a frame that `write_clip` wrote, counted from its first edit."""
    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        stream = container.streams.video[0]
        pts = sorted(packet.pts for packet in container.demux(stream) if packet.size)
    return pts[frame]


def repack(source: Path, target: Path, change: Callable[[int, bytes], Iterable[bytes]]) -> Path:
    """Copy a video packet by packet; `change` returns the packets that replace one."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = read.streams.video[0]
        copy = write.add_stream_from_template(stream)
        for place, packet in enumerate(read.demux(stream)):
            for content in change(place, bytes(packet)) if packet.size else ():
                fresh = av.Packet(content)
                fresh.pts, fresh.dts, fresh.time_base = packet.pts, packet.dts, packet.time_base
                fresh.is_keyframe = packet.is_keyframe
                fresh.stream = copy
                write.mux_one(fresh)
    return target


def pad_units(packet: bytes) -> bytes:
    """Lengthen every unit of a packet that counts its units' bytes by zeros behind it."""
    padded, place = b"", 0
    while place < len(packet):
        (length,) = struct.unpack_from(">I", packet, place)
        unit = packet[place + 4 : place + 4 + length] + ZEROS
        padded += struct.pack(">I", len(unit)) + unit
        place += 4 + length
    return padded


def pad_start_codes(packet: bytes) -> bytes:
    """Put zeros behind every unit of a packet that marks its units by start codes."""
    return packet[:4] + packet[4:].replace(b"\0\0\1", ZEROS + b"\0\0\1") + ZEROS


def pack_frames(source: Path, target: Path) -> Path:
    """Store B-frames as DivX does: in one chunk with the frame they refer to, then an empty one.

    Built from MPEG-4 with at most one B-frame in a row. The empty chunk is a picture that says
    "not coded".
    """
    with av.open(str(source)) as read:
        stream = read.streams.video[0]
        packets = [bytes(packet) for packet in read.demux(stream) if packet.size]
    coded = [_picture_type(packet) for packet in packets]
    chunks, place = [], 0
    while place < len(packets):
        if place + 1 < len(packets) and coded[place + 1] == "B":
            chunks += [packets[place] + packets[place + 1], bytes.fromhex("000001b6549f")]
            place += 2
        else:
            chunks.append(packets[place])
            place += 1
    user = b"\0\0\1\xb2DivX503b1393p"
    at = chunks[0].index(b"\0\0\1\xb6")
    chunks[0] = chunks[0][:at] + user + chunks[0][at:]
    return write_chunks(source, target, chunks)


def write_chunks(source: Path, target: Path, chunks: Sequence[bytes]) -> Path:
    """Write packets as an AVI, one a tick, in the codec of `source`; empty ones are left out."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        copy = write.add_stream_from_template(read.streams.video[0])
        for tick, content in enumerate(chunks):
            if not content:
                continue
            fresh = av.Packet(content)
            fresh.pts = fresh.dts = tick
            fresh.time_base = Fraction(1, 10)
            fresh.is_keyframe = tick == 0
            fresh.stream = copy
            write.mux_one(fresh)
    return target


def _picture_type(packet: bytes) -> str:
    return "IPBS"[packet[packet.index(b"\0\0\1\xb6") + 4] >> 6]


def packets(path: Path) -> list[bytes]:
    """Return the video packets of a file."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def write_with_cover(path: Path, *, sound: bool) -> Path:
    """Write a file with a cover picture beside its video, or beside nothing but sound."""
    with av.open(str(path), "w") as container:
        if sound:
            main = container.add_stream("aac", rate=8000)
        else:
            main = container.add_stream("libx264", rate=10)
            main.width, main.height, main.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 256, 192, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(np.full((192, 256, 3), 99, np.uint8), format="rgb24")
        image.pts = 0
        container.mux(cover.encode(image))
        container.mux(cover.encode())
        for index in range(12):
            if sound:
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                frame.sample_rate, frame.pts = 8000, 1024 * index
            else:
                frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(main.encode(frame))
        container.mux(main.encode())
    return path


def write_size_change(path: Path) -> Path:
    """Write a transport stream of ten frames of 128x96 and ten of 64x48."""
    parts = []
    for scale, begin in ((1, 0), (2, 10)):
        part = path.with_name(f"part{scale}.ts")
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=10, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = WIDTH // scale, HEIGHT // scale, "yuv420p"
            for index in range(begin, begin + 10):
                pixels = np.ascontiguousarray(picture(index)[::scale, ::scale])
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def double_times(source: Path, target: Path, doubled: Sequence[int]) -> Path:
    """Copy a video of ten frames a second; the frames `doubled` get the time of the one before."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = read.streams.video[0]
        copy = write.add_stream_from_template(stream)
        step = round(1 / (10 * stream.time_base))
        for packet in read.demux(stream):
            if packet.size:
                packet.pts -= step if packet.pts // step in doubled else 0
                packet.dts = min(packet.dts, packet.pts)
                packet.stream = copy
                write.mux_one(packet)
    return target
