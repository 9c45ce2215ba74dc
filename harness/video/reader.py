"""Reads frames of a video file with PyAV, exactly as the file holds them, or raises an error.

By default libav conceals what it cannot decode. Here a decoding error, a concealed frame or a block
of zero bytes makes every later frame up to the next key frame invalid, since they depend on each
other. Damage that no decoder notices is not noticed here either: a flipped bit, or noise that
decodes to another picture, since these formats have no checksums; MPEG-TS states no length.

decord is not used. It returns the same pixels, but conceals damage without a message, miscounts
frames of healthy files after seeking (open groups, MPEG-4 and MPEG-2 B-frames, MPEG-TS, edit lists)
and is slower. tests/harness/video/test_decode.py compares the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import MediaError
from harness.video.orientation import Frame, turn_upright
from harness.video.packets import WORTH_A_JUMP, PacketReader
from harness.video.padding import has_hole
from harness.video.side_by_side import run_side_by_side
from harness.video.track import Track

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame, VideoStream

LONG_READING = 2000
"""Packets that take seconds to decode. Two threads then share the ranges: decoders release the
interpreter's lock, and a clip that everything waits for is there in half the time."""
# Codecs whose decoders read `skip_frame` for each packet; others read it once.
_SKIP_BY_PACKET = frozenset({"h264", "hevc"})


def read(
    track: Track,
    wanted: Collection[int],
    *,
    jump_from: int = WORTH_A_JUMP,
    long_from: int = LONG_READING,
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) for the wanted frames of `track`: upright, at source size, in any order.

    Packets are decoded only from the key frame before a wanted frame up to that frame.

    Args:
        track: The packet table of the file.
        wanted: Indices of shown frames.
        jump_from: Bytes between two ranges of packets from which they are jumped over.
        long_from: Packets to decode from which two threads share the ranges.

    Raises:
        MediaError: Some wanted frames cannot be decoded without damage; says how many can and why
            the first one cannot. Raised after the last frame; frames yielded before are invalid.
    """
    faults: dict[int, str] = {}
    places = _packet_positions(track, wanted)
    ranges = _packet_ranges(track, places)
    parts = [ranges]
    if len(ranges) > 1 and sum(part.stop - part.start for part in ranges) >= long_from:
        half = len(ranges) // 2
        parts = [ranges[:half], ranges[half:]]
    yield from run_side_by_side(
        [_read_part(track, part, places, jump_from, faults) for part in parts]
    )
    if faults:
        first = min(faults)
        raise MediaError(
            f"{len(places) - len(faults)} of {len(places)} requested frames can be decoded;"
            f" frame {first} of {len(track.times)} cannot: {faults[first]}"
        )


def _read_part(
    track: Track,
    part: Sequence[_PacketRange],
    places: Mapping[int, int],
    jump_from: int,
    faults: dict[int, str],
) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of some ranges, and add the damaged ones to `faults`."""
    with PacketReader(track, jump_from=jump_from) as packets:
        for stretch in part:
            run = _RangeDecoder(packets.codec, track, stretch)
            for index, frame in run.frames(packets.read(stretch.start, stretch.stop)):
                yield index, turn_upright(frame)
            faults.update(run.faults(places))


class _PacketRange(NamedTuple):
    """A range of packets to decode in sequence, and the frames wanted from it."""

    start: int
    stop: int
    wanted: frozenset[int]


def _packet_positions(track: Track, wanted: Collection[int]) -> Mapping[int, int]:
    """Map each wanted frame to the position of its packet.

    Where frames can only be counted, that is the last position: any fault before may shift the
    count.
    """
    if not track.timed:
        return dict.fromkeys(wanted, len(track.ranks) - 1)
    place_of = {rank: place for place, rank in enumerate(track.ranks)}
    return {index: place_of[track.shown[index]] for index in wanted}


def _packet_ranges(track: Track, places: Mapping[int, int]) -> list[_PacketRange]:
    """Return ranges of packets with the wanted frames; they start at key frames, do not overlap."""
    stretches: list[_PacketRange] = []
    for index, place in sorted(places.items(), key=lambda item: item[1]):
        stretch = _PacketRange(_entry_position(track, index, place), place + 1, frozenset({index}))
        while stretches and stretch.start < stretches[-1].stop:
            last = stretches.pop()
            stretch = _PacketRange(
                min(last.start, stretch.start), stretch.stop, last.wanted | stretch.wanted
            )
        stretches.append(stretch)
    return stretches


def _entry_position(track: Track, index: int, place: int) -> int:
    """Return the position of the last key frame from which a frame can be decoded.

    A key frame that is stored before the frame but shown after it does not count: the frame needs
    the group before it.
    """
    if not track.timed:
        return 0
    for key in reversed(track.keys[: bisect_right(track.keys, place)]):
        if track.ranks[key] <= track.shown[index]:
            return key
    return 0


class _RangeDecoder:
    """The decoding of one range of packets."""

    def __init__(self, codec: VideoCodecContext, track: Track, stretch: _PacketRange) -> None:
        self._codec = codec
        self._name = codec.codec.canonical_name
        self._track = track
        self._stretch = stretch
        self._index_of = {track.shown[index]: index for index in stretch.wanted}
        self._count = 0
        self._last_rank: int | None = None
        self._delivered: set[int] = set()
        self._fault_place = len(track.ranks)
        self._fault = "the decoder does not deliver it"

    def frames(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the wanted frames, damaged or not; `faults` says which, once all are yielded."""
        start = self._stretch.start
        for place, packet in enumerate(packets, start):
            if self._track.timed:
                rank = self._track.ranks[place]
                if rank < self._track.ranks[start]:
                    continue  # it needs the group before; no frame here depends on it
                self._leave_out_disposable(rank not in self._index_of)
                packet.pts = rank  # times may be equal; decoders only pass them on
            yield from self._decode(place, packet)
        yield from self._decode(self._stretch.stop - 1, None)
        self._codec.flush_buffers()

    def faults(self, places: Mapping[int, int]) -> dict[int, str]:
        """Map each wanted frame that is damaged or missing to the reason."""
        return {
            index: self._fault
            for index in self._stretch.wanted
            if places[index] >= self._fault_place or index not in self._delivered
        }

    def _decode(
        self, place: int, packet: Packet[VideoStream] | None
    ) -> Iterator[tuple[int, VideoFrame]]:
        import av

        if packet and self._has_hole(packet):
            self._record_fault(place, "a block of its data is missing")
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError as error:
            self._record_fault(place, str(error.strerror))
            return
        for frame in frames:
            if frame.is_corrupt:
                self._record_fault(
                    self._packet_position(frame), "its data are damaged and were concealed"
                )
            if not self._is_in_order(frame):
                self._record_fault(self._stretch.start, "the file's table of times is damaged")
            index = self._frame_index(frame)
            if index in self._stretch.wanted:
                self._delivered.add(index)
                yield index, frame

    def _frame_index(self, frame: VideoFrame) -> int | None:
        if self._track.timed:
            return self._index_of.get(frame.pts) if frame.pts is not None else None
        self._count += 1
        return self._count - 1

    def _is_in_order(self, frame: VideoFrame) -> bool:
        """Return whether the container's times agree with the order of the decoder."""
        before, self._last_rank = self._last_rank, frame.pts
        if not self._track.timed or before is None or frame.pts is None:
            return True
        return before < frame.pts

    def _leave_out_disposable(self, leave_out: bool) -> None:
        """Set whether the next packet is decoded only if other frames depend on it."""
        if self._name in _SKIP_BY_PACKET:
            self._codec.skip_frame = "NONREF" if leave_out else "DEFAULT"

    def _has_hole(self, packet: Packet[VideoStream]) -> bool:
        return has_hole(bytes(packet), self._name, self._codec.extradata)

    def _packet_position(self, frame: VideoFrame) -> int:
        """Return the position of a frame's packet; the start of the range if it is unknown."""
        ranks = self._track.ranks
        timed = self._track.timed and frame.pts in ranks
        return ranks.index(frame.pts) if timed and frame.pts else self._stretch.start

    def _record_fault(self, place: int, reason: str) -> None:
        if place < self._fault_place:
            self._fault_place, self._fault = place, reason
