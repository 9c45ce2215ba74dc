"""Reads the packet table of a video file: frame times and key frames, without decoding.

Frames are numbered in presentation order. A container that contradicts itself is an error, because
then none of its frame numbers can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import MediaError

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

_MAX_REORDER = 64  # frames; codecs allow 16, and groups of 32 are the longest in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The video stream of a file, as described by its container."""

    path: Path
    fps: float
    """Average frames per second."""
    pts: tuple[int, ...]
    """Presentation time of each shown frame in stream units, increasing."""
    times: tuple[float, ...]
    """The same in seconds."""
    packets: tuple[int, ...]
    """Presentation times in decoding order, including frames that are never shown."""
    keys: tuple[int, ...]
    """Positions in `packets` where decoding can start, increasing."""
    timed: bool
    """False if the container stores no presentation times (AVI) and frames have to be counted."""


def scan(path: Path) -> Track:
    """Read the packet table of the best video stream of `path`.

    Raises:
        MediaError: The file cannot be opened, has no video stream or no frames, is cut short, or
            its container is damaged.
    """
    with _collect_errors() as complaints, opened(path) as (container, stream):
        entries = [
            _Entry(packet.pts, packet.is_keyframe, packet.is_discard)
            for packet in packets_of(container, stream)
        ]
        for _, source, message in complaints:
            if source == container.format.name:  # not from a decoder that only probes the stream
                raise MediaError(f"the container is damaged: {message.strip()}")
        if len(entries) < stream.frames:
            raise MediaError(f"the file is cut short: {len(entries)} of {stream.frames} frames")
        return _make_track(path, stream, entries, timed=container.format.name != "avi")


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the best video stream of `path`; errors of libav in the block become `MediaError`."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise MediaError("the file has no video stream")
            if stream.codec_context is None:
                raise MediaError("there is no decoder for the video stream")
            yield container, stream
    except av.FFmpegError as error:
        raise MediaError(f"{type(error).__name__}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"the container's text fields are damaged: {error}") from error


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Return the packets of `stream` in decoding order, without the empty one at the end."""
    return (packet for packet in container.demux(stream) if packet.size)


class _Entry(NamedTuple):
    """One row of the packet table."""

    pts: int | None
    key: bool
    hidden: bool


def _make_track(path: Path, stream: VideoStream, entries: list[_Entry], *, timed: bool) -> Track:
    rate = stream.average_rate or stream.guessed_rate
    shown = sum(not entry.hidden for entry in entries)
    if not shown or not rate or not stream.time_base:
        raise MediaError("the video stream has no frames or no frame rate")
    fps = float(rate)
    packets = [entry.pts or 0 for entry in entries]
    timed = timed and len({entry.pts for entry in entries} - {None}) == len(entries)
    if timed and _are_plausible(packets):
        pts = sorted(entry.pts or 0 for entry in entries if not entry.hidden)
    elif not timed and shown == len(entries):
        pts = list(range(shown))
    else:
        raise MediaError("the file's table of times is damaged")
    return Track(
        path=path,
        fps=fps,
        pts=tuple(pts),
        times=tuple(float(time * stream.time_base) if timed else time / fps for time in pts),
        packets=tuple(packets),
        keys=tuple(place for place, entry in enumerate(entries) if entry.key),
        timed=timed,
    )


def _are_plausible(packets: list[int]) -> bool:
    """Return whether every frame is shown at most `_MAX_REORDER` frames from its decoding."""
    shown = sorted(range(len(packets)), key=packets.__getitem__)
    return all(abs(place - rank) <= _MAX_REORDER for rank, place in enumerate(shown))


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
