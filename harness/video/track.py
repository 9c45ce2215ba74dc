"""Reads the packet table of a video file: frame times and key frames.

Frames are numbered in presentation order. A container that contradicts itself is an error, because
then none of its frame numbers can be trusted. Nothing is decoded where every packet has its time;
otherwise the file is decoded once to learn the times of its frames.

Every packet is read, which takes about a second per hour of 720p. The index of an MP4 file would be
there at once, but PyAV 18 has only its times of decoding (`av.index.IndexEntry.timestamp`), and
frames are numbered by their times of presentation, which differ wherever frames are reordered. No
other entry says in which order frames are shown, and a stream that claims not to reorder may.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import InaccessibleMediaError, MediaError, UnusableMediaError
from harness.video.avi import count_chunks
from harness.video.fragments import find_break
from harness.video.matroska import count_missing_bytes
from harness.video.timeline import fill_gaps, frame_rate, join_restarts, round_time

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

_MAX_REORDER = 64  # frames; codecs allow 16, and groups of 32 are the longest in use
_RESTARTING = ("mpegts", "mpeg")  # broadcasts and recordings that were put one behind the other
_SMALLEST_PICTURE = 16  # bytes; MPEG-4 says "no new picture here" in fewer
_VP8_SHOWN = 0x10  # bit of the first byte; RFC 6386, section 9.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The video stream of a file, as described by its container."""

    path: Path
    fps: float
    """Mean frames per second: the header's where it agrees with `times`, else that of `times`."""
    times: tuple[float, ...]
    """Presentation time of each shown frame in seconds from the first one, non-decreasing."""
    shown: tuple[int, ...]
    """Rank of each shown frame among all packets in presentation order, increasing."""
    ranks: tuple[int, ...]
    """Rank of each packet, in decoding order, including frames that are never shown."""
    keys: tuple[int, ...]
    """Positions in `ranks` where decoding can start, increasing."""
    clock: tuple[int, ...]
    """Presentation time of each packet in units of the stream, in decoding order; () if untimed."""
    sizes: tuple[int, ...]
    """Bytes of each packet, in decoding order."""
    timed: bool
    """False if not every packet has a time of its own; frames then have to be counted."""
    unshown_lead: int = 0
    """Frames before the first key frame, which nothing can decode; they are not numbered."""


def scan(path: Path) -> Track:
    """Read the packet table of the best video stream of `path`.

    Raises:
        MediaError: The file cannot be opened, has no video stream or no frames, is cut short, or
            its container is damaged.
    """
    with _collect_errors() as complaints, opened(path) as (container, stream):
        entries = [_make_entry(packet, stream) for packet in packets_of(container, stream)]
        for _, source, message in complaints:
            if source == container.format.name:  # not from a decoder that only probes the stream
                raise MediaError(f"the container is damaged: {message.strip()}")
        _check_structure(path, container)
        _check_count(path, container, stream, entries)
        if _has_all_times(container, stream, entries):
            return _make_timed(path, stream, entries)
    with _collect_errors(), opened(path) as (container, stream):
        return _make_counted(path, container, stream, entries)


@contextmanager
def opened(path: Path, **options: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the best video stream of `path`; errors of libav in the block become `MediaError`."""
    import av
    from av.stream import Disposition

    try:
        with av.open(str(path), options=options) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise UnusableMediaError("the file has no video stream")
            if stream.disposition & Disposition.attached_pic:
                raise UnusableMediaError(
                    "the file has no video stream, only sound with a cover picture"
                )
            if stream.codec_context is None:
                raise UnusableMediaError("there is no decoder for the video stream")
            yield container, stream
    except av.FFmpegError as error:
        kind = InaccessibleMediaError if isinstance(error, OSError) else MediaError
        raise kind(f"{type(error).__name__}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"the container's text fields are damaged: {error}") from error


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Return the packets of `stream` in decoding order, without empty ones."""
    return (packet for packet in _demux(container, stream) if packet.size)


def _demux(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of `stream`, then empty ones that flush its decoder.

    PyAV 18.1 fails at its end where a further stream has appeared in the file since it was opened,
    as in recordings of broadcasts: it flushes streams that it does not know.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return


class _Entry(NamedTuple):
    """One row of the packet table."""

    pts: int | None
    key: bool
    hidden: bool
    size: int


def _make_entry(packet: Packet[VideoStream], stream: VideoStream) -> _Entry:
    hidden = packet.is_discard
    if stream.codec_context.codec.canonical_name == "vp8":
        hidden = hidden or not memoryview(packet)[0] & _VP8_SHOWN
    return _Entry(packet.pts, packet.is_keyframe, hidden, packet.size)


def _check_structure(path: Path, container: InputContainer) -> None:
    """Raise `MediaError` if bytes are missing that the demuxer does not miss.

    Matroska and fragmented MP4 count no frames. Where bytes are left out between two frames, the
    size of Matroska's segment and the chain of MP4's boxes say so.
    """
    name = container.format.name
    missing = count_missing_bytes(path) if "matroska" in name else 0
    reason = find_break(path) if "mp4" in name else None
    if missing:
        reason = f"{missing} bytes of its segment are missing"
    if reason:
        raise MediaError(f"the file is cut short: {reason}")


def _check_count(
    path: Path, container: InputContainer, stream: VideoStream, entries: list[_Entry]
) -> None:
    """Raise `MediaError` if the file holds fewer frames than its header counts.

    The header also counts the empty chunks of AVI, and the frames of MP4 that an edit list hides.
    """
    found = len(entries)
    if found < stream.frames and container.format.name == "avi":
        chunks = count_chunks(path, stream.index)
        if chunks.all - chunks.empty == found:
            found = chunks.all
    elif found < stream.frames:
        with opened(path, ignore_editlist="1") as (whole, track):
            found = max(found, sum(1 for _ in packets_of(whole, track)))
    if found < stream.frames:
        raise MediaError(f"the file is cut short: {found} of {stream.frames} frames")


def _has_all_times(container: InputContainer, stream: VideoStream, entries: list[_Entry]) -> bool:
    """Return whether every packet is one frame, and its time tells its place.

    AVI stores no presentation times. Of two frames with one time the stored order tells the place,
    unless the codec stores frames in another order than it shows them.
    """
    pts = [entry.pts for entry in entries if entry.pts is not None]
    if container.format.name == "avi" or len(pts) < len(entries):
        return False
    if len(set(pts)) < len(pts) and pts != sorted(pts):
        return False
    if container.format.name in _RESTARTING and not _are_plausible(pts):
        return False
    empty = any(entry.size < _SMALLEST_PICTURE for entry in entries)
    return not (empty and stream.codec_context.codec.canonical_name == "mpeg4")


def _are_plausible(pts: list[int]) -> bool:
    """Return whether every frame is shown at most `_MAX_REORDER` frames from its decoding."""
    order = sorted(range(len(pts)), key=pts.__getitem__)
    return all(abs(place - rank) <= _MAX_REORDER for rank, place in enumerate(order))


def _make_timed(path: Path, stream: VideoStream, entries: list[_Entry]) -> Track:
    """Make the track of a file whose packets all have times; equal ones stay in stored order."""
    pts = [entry.pts or 0 for entry in entries]
    if not _are_plausible(pts):
        raise MediaError("the file's table of times is damaged")
    order = sorted(range(len(entries)), key=pts.__getitem__)
    ranks = sorted(range(len(order)), key=order.__getitem__)
    keys = [place for place, entry in enumerate(entries) if entry.key]
    first = ranks[keys[0]] if keys else 0
    visible = [rank for rank, place in enumerate(order) if not entries[place].hidden]
    shown = [rank for rank in visible if rank >= first]
    times = _relative_times([pts[order[rank]] for rank in shown], stream)
    return Track(
        path=path,
        fps=_rate(times, stream),
        times=times,
        shown=tuple(shown),
        ranks=tuple(ranks),
        keys=tuple(keys),
        clock=tuple(pts),
        sizes=tuple(entry.size for entry in entries),
        timed=True,
        unshown_lead=len(visible) - len(shown),
    )


def _make_counted(
    path: Path, container: InputContainer, stream: VideoStream, entries: list[_Entry]
) -> Track:
    """Make the track of a file whose frames have to be decoded to be counted.

    Damage ends the decoding here; `harness.video.reader.read` meets it again and says so.
    """
    pts = _decoded_times(container, stream)
    if container.format.name == "avi":  # these are times of chunks, which may hold later frames
        pts = sorted(pts, key=lambda time: -1 if time is None else time)
    rate = stream.average_rate or stream.guessed_rate
    step = float(1 / (rate * stream.time_base)) if rate and stream.time_base else None
    if container.format.name in _RESTARTING:
        pts = join_restarts(pts, step or 0.0)
    times = _relative_times(fill_gaps(pts, step), stream)
    return Track(
        path=path,
        fps=_rate(times, stream),
        times=times,
        shown=tuple(range(len(pts))),
        ranks=tuple(range(len(entries))),
        keys=tuple(place for place, entry in enumerate(entries) if entry.key),
        clock=(),
        sizes=tuple(entry.size for entry in entries),
        timed=False,
    )


def _decoded_times(container: InputContainer, stream: VideoStream) -> list[int | None]:
    import av

    stream.thread_type = "NONE"
    times: list[int | None] = []
    try:
        for packet in _demux(container, stream):
            times += [frame.pts for frame in packet.decode()]
    except av.FFmpegError:
        pass
    return times


def _relative_times(pts: list[int], stream: VideoStream) -> tuple[float, ...]:
    """Return seconds from the first frame, which need not be at 0 in the file."""
    if not stream.time_base:
        raise MediaError("the video stream has no time base")
    return tuple(round_time(float((time - pts[0]) * stream.time_base)) for time in pts)


def _rate(times: tuple[float, ...], stream: VideoStream) -> float:
    if not times:
        raise MediaError("the video stream has no frames that can be shown")
    guessed = stream.guessed_rate if len(times) > 1 else None  # may be the time base
    claimed = stream.average_rate or guessed
    return frame_rate(times, float(claimed) if claimed else None) or 1.0


@contextmanager
def _collect_errors() -> Iterator[list[tuple[int, str, str]]]:
    """Collect libav's error messages (level, source, text) instead of printing them."""
    import av.logging

    level, skip = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # or the second file with the same fault looks healthy
    try:
        with av.logging.Capture() as complaints:
            yield complaints
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip)
