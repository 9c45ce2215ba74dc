"""Reads ranges of packets of a video file in order, and jumps over what nobody needs.

A jump is checked: the packets behind it must have the times and sizes that the packet table of the
file (`harness.video.track.scan`) has at that place. Where they differ, the file is read from its
start instead, so that a container with a wrong index costs time and never a wrong frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

from harness.video.track import Track, opened, packets_of

if TYPE_CHECKING:
    from types import TracebackType

    from av import Packet, VideoCodecContext, VideoStream

WORTH_A_JUMP = 16 << 20
"""Bytes between two ranges from which a jump is tried; reading on is as fast for fewer."""
_MOST_HELD = 64 << 20
"""Bytes of a range that may be held in memory to check it; a longer one is read without a jump."""
_SEEKABLE = frozenset({"mov,mp4,m4a,3gp,3g2,mj2"})
"""Formats with an index of all packets, where a jump lands at the key frame that was asked for."""


class PacketReader:
    """Reads ranges of packets of one file, in increasing order; use it in a `with` block."""

    def __init__(self, track: Track, *, jump_from: int = WORTH_A_JUMP) -> None:
        """Prepare to read the file of `track`, which `__enter__` opens.

        Args:
            track: The packet table of the file.
            jump_from: Bytes that nobody needs from which a jump is tried.
        """
        self._track = track
        self._jump_from = jump_from
        self._stack = ExitStack()
        self._place = 0
        self._trusts_index = True
        self.jumps = 0
        """Jumps that landed where they should."""

    def __enter__(self) -> PacketReader:
        """Open the file; `codec` then decodes its packets."""
        self._open()
        self.codec = self._codec()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Close the file; an error of libav becomes a `MediaError` there."""
        return self._stack.__exit__(kind, error, trace)

    def read(self, start: int, stop: int) -> Iterator[Packet[VideoStream]]:
        """Yield the packets at the places from `start` up to `stop` of the packet table.

        Args:
            start: Place of a key frame, not before the end of the range read last.
            stop: Place behind the last packet.

        Raises:
            MediaError: The file cannot be opened or read.
        """
        jumped = self._jump(start, stop) if self._may_jump_to(start, stop) else None
        if jumped is not None:
            yield from jumped
        else:
            yield from islice(self._packets, start - self._place, stop - self._place)
        self._place = stop

    def _may_jump_to(self, start: int, stop: int) -> bool:
        return (
            self._trusts_index
            and self._track.timed
            and self._container.format.name in _SEEKABLE
            and sum(self._track.sizes[self._place : start]) > self._jump_from
            and sum(self._track.sizes[start:stop]) <= _MOST_HELD
        )

    def _jump(self, start: int, stop: int) -> list[Packet[VideoStream]] | None:
        """Return the packets of a range, read behind a jump; None if they are not those."""
        import av

        clock = self._track.clock
        try:
            self._container.seek(clock[start], stream=self._stream)
            packets = packets_of(self._container, self._stream)
            found = list(islice(packets, stop - start))
        except av.FFmpegError:
            found = []
        expected = list(zip(clock[start:stop], self._track.sizes[start:stop], strict=True))
        if [(packet.pts, packet.size) for packet in found] == expected:
            self._packets = packets
            self.jumps += 1
            return found
        self._trusts_index = False
        self._open()
        return None

    def _open(self) -> None:
        self._container, self._stream = self._stack.enter_context(opened(self._track.path))
        self._packets = packets_of(self._container, self._stream)
        self._place = 0

    def _codec(self) -> VideoCodecContext:
        self._stream.thread_type = "NONE"  # an error then belongs to the packet that was sent last
        return self._stream.codec_context
