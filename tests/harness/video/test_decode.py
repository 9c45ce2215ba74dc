"""Decoded clips against files whose frames are known, and against damaged ones."""

from __future__ import annotations

import gc
import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from harness.errors import MediaError
from harness.schema import Clip, FramePolicy, FrameRule, Media, MediaKind, Variant
from harness.video.decode import LARGE_FILE, content_key, decode
from harness.video.decord_check import (
    DecordDiffersError,
    decode_and_compare,
)
from harness.video.matroska import count_missing_bytes
from harness.video.packets import PacketReader
from harness.video.reader import read
from harness.video.track import scan
from tasks.demo.scenes import draw, moving, write_video
from tests.clips import number, picture, write_clip, write_folder, write_sound
from tests.faults.corrupt import damage_content
from tests.paths import SHARED

REAL = SHARED / "data" / "videos"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real clips in {REAL}")

OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=10:bframes=3:b-adapt=0"}


def policy(frames: int, rule: FrameRule = FrameRule.LINSPACE) -> FramePolicy:
    return FramePolicy(rule=rule, max_frames=frames, min_pixels=1, max_pixels=10**6)


def video(path: Path, frames: int = 8, **span: float) -> Clip:
    return decode(Media(path=path, **span), policy(frames), patch_multiple=4)


def numbers(clip: Clip) -> tuple[int, ...]:
    return tuple(number(frame) for frame in clip.frames)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("closed.mp4", "libx264", {"g": "12"}),
        ("closed.mkv", "libx264", {"g": "12"}),
        # decord has frame 22 for 31, 24 for 22 and 12 for 0 in the next three.
        ("open.mkv", "libx264", OPEN_GROUPS),
        ("open.mp4", "mpeg4", {"bf": "2"}),
        ("late.ts", "libx264", {"g": "12"}),
        ("vp9.webm", "libvpx-vp9", {"lag-in-frames": "16"}),
        ("vp8.webm", "libvpx", {"lag-in-frames": "16", "auto-alt-ref": "1"}),
        ("untimed.avi", "libx264", {"bf": "3"}),  # AVI stores no presentation times
        ("packed.avi", "mpeg4", {"bf": "2"}),
    ],
)
def test_every_frame_is_the_one_asked_for(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    """In every container and group structure, alone or together, index n is frame n."""
    track = scan(write_clip(tmp_path / name, codec=codec, options=options))
    for wanted in ([0], [22], [31], [39], [9, 10, 11], range(40)):
        found = {index: number(frame) for index, frame in read(track, wanted)}
        assert found == {index: index for index in wanted}


def test_clip_of_a_video(tmp_path: Path) -> None:
    """A clip says where its frames come from: 40 frames at 10 per second, 4 of them taken."""
    path = write_clip(tmp_path / "a.mp4")
    clip = decode(Media(path=path), policy(4), patch_multiple=28)
    assert clip.indices == numbers(clip) == (0, 13, 26, 39)
    assert clip.timestamps == pytest.approx((0.0, 1.3, 2.6, 3.9))
    assert (clip.fps, clip.total_frames, clip.duration_s) == (10.0, 40, 4.0)
    assert clip.frames.shape == (4, 84, 140, 3)  # 96x128 on a grid of 28
    assert clip.frames.dtype == np.uint8
    assert clip.kind is MediaKind.VIDEO
    assert clip.decode_s > 0


def test_clip_of_a_span(tmp_path: Path) -> None:
    """Indices count in the file, timestamps from the beginning of the span."""
    clip = video(write_clip(tmp_path / "a.mp4"), frames=3, start_s=1.0, end_s=3.0)
    assert clip.indices == numbers(clip) == (10, 20, 30)
    assert clip.timestamps == pytest.approx((0.0, 1.0, 2.0))


def test_official_segments_may_repeat_a_frame(tmp_path: Path) -> None:
    """Where the rule names an index twice, the frame is there twice."""
    path = write_clip(tmp_path / "a.mp4", 3)
    clip = decode(Media(path=path), policy(4, FrameRule.SEGMENTS), patch_multiple=4)
    assert clip.indices == numbers(clip) == (0, 0, 1, 2)


def test_official_segments_right_behind_the_end(tmp_path: Path) -> None:
    """The publisher's arithmetic goes back from the end; times do not: 29 is shown before 28."""
    media = Media(path=write_clip(tmp_path / "a.mp4", 30), start_s=3.0, end_s=3.0)
    clip = decode(media, policy(16, FrameRule.SEGMENTS), patch_multiple=4)
    assert clip.indices == numbers(clip) == (29,) * 9 + (28,) * 7
    assert clip.timestamps == pytest.approx((0.0,) * 7 + (0.1,) * 9)


@pytest.mark.parametrize("name", ["one.mp4", "one.mkv"])
@pytest.mark.parametrize("rule", list(FrameRule))
def test_one_frame(tmp_path: Path, name: str, rule: FrameRule) -> None:
    """A video of one frame gives that frame under every rule."""
    path = write_clip(tmp_path / name, 1)
    assert set(decode(Media(path=path), policy(2, rule), patch_multiple=4).indices) == {0}


def test_variable_frame_rate(tmp_path: Path) -> None:
    """Indices follow the order of frames, timestamps the times they are shown at."""
    clip = video(write_clip(tmp_path / "v.mkv", 6, pts=[0, 1, 2, 10, 11, 20]), frames=6)
    assert numbers(clip) == (0, 1, 2, 3, 4, 5)
    assert clip.timestamps == pytest.approx((0.0, 0.1, 0.2, 1.0, 1.1, 2.0))


def test_hidden_frames_do_not_count(tmp_path: Path) -> None:
    """Frames that an edit list cuts off are never sampled: shown are 5 to 39 of 0 to 39."""
    clip = video(write_clip(tmp_path / "cut.mp4", pts=range(-5, 35)), frames=2)
    assert clip.total_frames == 35
    assert clip.indices == (0, 34)
    assert numbers(clip) == (5, 39)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_video_is_upright(tmp_path: Path, rotation: int) -> None:
    """Frames are turned as the file says."""
    clip = video(write_clip(tmp_path / "r.mp4", rotation=rotation))
    assert clip.frames.shape[1:3] == (96, 128)
    assert numbers(clip) == clip.indices


@needs_real
@pytest.mark.parametrize("name", ["yoga.mp4", "video1.mp4", "pancake.mkv"])
def test_pixels_are_those_of_decord(name: str) -> None:
    """Published numbers were made with decord; where it counts right, ours are the same bytes."""
    decord = pytest.importorskip("decord")
    track = scan(REAL / name)
    wanted = [0, len(track.times) // 2, len(track.times) - 1]
    theirs = decord.VideoReader(str(REAL / name), num_threads=1).get_batch(wanted).asnumpy()
    ours = dict(read(track, wanted))
    for index, frame in zip(wanted, theirs, strict=True):
        assert np.array_equal(ours[index], frame)


def test_folder_counts_from_one(tmp_path: Path) -> None:
    """The first file is 00001; MVBench's segments of 12 files have the middles 2, 5, 8, 10."""
    media = Media(path=write_folder(tmp_path / "f"), kind=MediaKind.FRAMES, fps=3.0)
    clip = decode(media, policy(4, FrameRule.SEGMENTS), patch_multiple=4)
    assert numbers(clip) == (2, 5, 8, 10)
    assert clip.indices == (1, 4, 7, 9)
    assert clip.timestamps == pytest.approx((1 / 3, 4 / 3, 7 / 3, 3.0))
    assert (clip.fps, clip.total_frames, clip.duration_s) == (3.0, 12, 4.0)


def test_folder_is_sorted_by_number(tmp_path: Path) -> None:
    """frame10 comes after frame9."""
    folder = tmp_path / "f"
    folder.mkdir()
    for index in range(1, 13):
        Image.fromarray(picture(index)).save(folder / f"frame{index}.png")
    clip = decode(Media(path=folder, kind=MediaKind.FRAMES, fps=3.0), policy(12), patch_multiple=4)
    assert numbers(clip) == tuple(range(1, 13))


def test_image(tmp_path: Path) -> None:
    """An image is a clip of one frame, whatever the rule."""
    path = tmp_path / "i.png"
    Image.fromarray(picture(77)).convert("RGBA").save(path)
    for rule, frames in itertools.product(FrameRule, (1, 8)):
        media = Media(path=path, kind=MediaKind.IMAGE)
        clip = decode(media, policy(frames, rule), patch_multiple=4)
        assert numbers(clip) == (77,)
        assert (clip.indices, clip.timestamps, clip.total_frames) == ((0,), (0.0,), 1)


def test_key_is_content_and_choices(tmp_path: Path) -> None:
    """Equal bytes share a key under any name and order; any other choice changes it."""
    path = write_clip(tmp_path / "a.mp4")
    copy = tmp_path / "b.mp4"
    copy.write_bytes(path.read_bytes())
    media, base = Media(path=path), policy(4)
    key = decode(media, base, patch_multiple=28).key
    assert decode(Media(path=copy), base, patch_multiple=28).key == key
    assert (
        decode(media, replace(base, order=Variant.SHUFFLED, seed=5), patch_multiple=28).key == key
    )
    other = write_clip(tmp_path / "c.mp4", 41)
    changed = [
        decode(Media(path=other), base, patch_multiple=28),
        decode(replace(media, start_s=0.1), base, patch_multiple=28),
        decode(media, replace(base, max_pixels=9000), patch_multiple=28),
        decode(media, replace(base, max_frames=5), patch_multiple=28),
        decode(media, base, patch_multiple=32),
    ]
    assert len({key, *(clip.key for clip in changed)}) == 6


def test_key_of_a_long_video_is_its_content_too(tmp_path: Path) -> None:
    """A large file is hashed by XXH3: a copy has its key, one changed byte gives another."""
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.truncate(LARGE_FILE)  # sparse: takes no room on the disk
    key = content_key(Media(path=path), policy(4), patch_multiple=28)
    assert (
        content_key(Media(path=path.rename(tmp_path / "b.mp4")), policy(4), patch_multiple=28)
        == key
    )
    with (tmp_path / "b.mp4").open("r+b") as file:
        file.seek(LARGE_FILE - 1)
        file.write(b"1")
    assert content_key(Media(path=tmp_path / "b.mp4"), policy(4), patch_multiple=28) != key


JUMPS = [
    ("closed.mp4", "libx264", {"g": "6"}, True),
    ("b-frames.mp4", "libx264", {"g": "8", "bf": "3"}, True),
    ("open-group.mp4", "libx264", OPEN_GROUPS, True),
    ("mpeg4.mp4", "mpeg4", {"bf": "2", "g": "7"}, True),
    ("hevc.mov", "libx265", {"x265-params": "keyint=8:log-level=none"}, True),
    ("no-index.mkv", "libx264", {"g": "6"}, False),
    ("clusters.webm", "libvpx-vp9", {"g": "6"}, False),
    ("broadcast.ts", "libx264", {"g": "6"}, False),
]


@pytest.mark.parametrize(("name", "codec", "options", "jumps"), JUMPS)
def test_frames_behind_a_jump_are_those_read_from_the_start(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], jumps: bool
) -> None:
    """Jumping over packets gives equal frames in every container, and is done where it is safe."""
    track = scan(write_clip(tmp_path / name, codec=codec, options=options))
    for wanted in ({39}, {0, 20, 39}, {5, 13, 31}, set(range(0, 40, 9))):
        whole = dict(read(track, wanted))
        for long_from in (1, 1000):
            found = dict(read(track, wanted, jump_from=0, long_from=long_from))
            assert sorted(found) == sorted(wanted)
            for index, frame in found.items():
                assert np.array_equal(frame, whole[index])
                assert number(frame) == index
    with PacketReader(track, jump_from=0) as packets:
        for place in track.keys:
            assert len(list(packets.read(place, place + 1))) == 1
    assert bool(packets.jumps) is jumps


def test_frames_do_not_wait_for_the_garbage_collector(tmp_path: Path) -> None:
    """A frame that was handed over is freed at once, since each holds megabytes."""
    track = scan(write_clip(tmp_path / "a.mp4"))
    gc.collect()
    gc.disable()
    try:
        assert sum(1 for _ in read(track, range(40))) == 40
        left = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert left == 0


@pytest.mark.parametrize("lie", ["clock", "sizes"])
def test_an_index_that_lies_costs_time_and_no_frame(tmp_path: Path, lie: str) -> None:
    """Where a jump lands at other packets, the file is read from its start."""
    track = scan(write_clip(tmp_path / "a.mp4", options={"g": "6"}))
    wrong = replace(track, **{lie: tuple(value + 1 for value in getattr(track, lie))})
    assert [number(frame) for _, frame in sorted(read(wrong, {7, 20, 39}, jump_from=0))] == [
        7,
        20,
        39,
    ]
    with PacketReader(wrong, jump_from=0) as packets:
        sizes = [packet.size for packet in packets.read(18, 24)]
    assert (packets.jumps, sizes) == (0, list(track.sizes[18:24]))


def broken_files(folder: Path) -> Iterator[tuple[Path, MediaKind, str]]:
    """Write files that cannot be read, with what the error has to say."""
    empty = folder / "empty.mp4"
    empty.touch()
    yield empty, MediaKind.VIDEO, "Invalid data"
    yield empty, MediaKind.IMAGE, "cannot identify"
    yield folder / "missing.mp4", MediaKind.VIDEO, "No such file"
    yield folder / "missing.png", MediaKind.IMAGE, "No such file"
    yield folder / "missing", MediaKind.FRAMES, "No such file"
    yield write_sound(folder / "sound.mp4"), MediaKind.VIDEO, "no video stream"
    (folder / "nothing").mkdir()
    yield folder / "nothing", MediaKind.FRAMES, "no numbered images"
    gap = write_folder(folder / "gap")
    (gap / "00007.png").unlink()
    yield gap, MediaKind.FRAMES, "image 7 of 1 to 12 is missing"
    torn = write_folder(folder / "torn")
    (torn / "00012.png").write_bytes((torn / "00011.png").read_bytes()[:200])
    yield torn, MediaKind.FRAMES, "00012.png"


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """Whatever is wrong with a file, the error names the file and the reason."""
    for path, kind, reason in broken_files(tmp_path):
        with pytest.raises(MediaError, match=reason) as caught:
            decode(Media(path=path, kind=kind, fps=3.0), policy(4), patch_multiple=4)
        assert str(path) in str(caught.value)


def test_folder_without_rate(tmp_path: Path) -> None:
    """A folder carries no frame rate, so the media has to."""
    with pytest.raises(MediaError, match="frame rate"):
        decode(Media(path=tmp_path, kind=MediaKind.FRAMES), policy(4), patch_multiple=4)


def test_too_narrow_an_image(tmp_path: Path) -> None:
    """An image that cannot be resized is a media error with its path."""
    path = tmp_path / "thin.png"
    Image.new("RGB", (500, 1)).save(path)
    with pytest.raises(MediaError, match=r"thin\.png: .* too narrow"):
        decode(Media(path=path, kind=MediaKind.IMAGE), policy(1), patch_multiple=4)


@needs_real
@pytest.mark.parametrize("rule", [FrameRule.VIDEO_R1, FrameRule.LINSPACE])
@pytest.mark.parametrize("frames", [4, 8, 16])
def test_damaged_real_video(rule: FrameRule, frames: int) -> None:
    """Frames behind the damage are an error, never the last good frame again."""
    with pytest.raises(MediaError, match=r"\d of \d+ requested frames can be decoded"):
        decode(Media(path=REAL / "corrupted.mp4"), policy(frames, rule), patch_multiple=28)


@needs_real
def test_damaged_video_is_good_before_the_damage() -> None:
    """What lies before the damage is delivered."""
    clip = video(REAL / "corrupted.mp4", frames=4, end_s=2.0)
    assert clip.indices == (0, 6, 13, 20)


def test_zero_bytes_of_a_flat_picture_are_no_damage(tmp_path: Path) -> None:
    """VP8 writes eight zeros in a row where little happens; such a file is healthy."""
    path = tmp_path / "flat.webm"
    write_video(path, draw([moving("red", "circle", "right")]))
    with av.open(str(path)) as container:
        assert any(bytes(8) in bytes(packet) for packet in container.demux(video=0))
    clip = decode(Media(path=path), FramePolicy(max_frames=8, min_pixels=1), patch_multiple=28)
    assert len(clip.indices) == 8


@needs_real
@pytest.mark.parametrize("name", ["yoga.mp4", "pancake.mkv"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_cut_off_video(tmp_path: Path, name: str, kept: float) -> None:
    """A download that stopped early is an error, not a shorter video, however often it is read."""
    whole = (REAL / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * kept)])
    for _ in range(2):
        with pytest.raises(MediaError):
            video(path)


@needs_real
@pytest.mark.parametrize("damage", ["hole", "noise", "gap"])
@pytest.mark.parametrize("name", ["yoga.mp4", "pancake.mkv"])
def test_no_wrong_frame_from_a_damaged_file(tmp_path: Path, name: str, damage: str) -> None:
    """With a block of the file lost, every frame that is delivered is the right one."""
    whole, healthy = (REAL / name).read_bytes(), video(REAL / name)
    path = tmp_path / name
    refused = 0
    for seed in range(6):
        path.write_bytes(damage_content(whole, damage, random.Random(seed)))
        try:
            clip = video(path)
        except MediaError:
            refused += 1
        else:
            assert clip.indices == healthy.indices
            assert np.array_equal(clip.frames, healthy.frames)
    assert refused


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx")])
def test_blocks_left_out_of_a_matroska_file_are_noticed(
    tmp_path: Path, name: str, codec: str
) -> None:
    """What is left can be read without a complaint; the segment's size says that bytes are gone."""
    path = write_clip(tmp_path / name, codec=codec, options={"g": "8"})
    whole = path.read_bytes()
    with av.open(str(path)) as container:
        blocks = [packet.pos for packet in container.demux(video=0) if packet.size]
    for first, last in itertools.combinations(blocks[::6], 2):
        path.write_bytes(whole[:first] + whole[last:])
        with pytest.raises(MediaError):
            scan(path)


def write_fragments(path: Path, flags: str = "frag_keyframe+empty_moov") -> list[int]:
    """Write 40 frames in five fragments, and return where each begins."""
    with av.open(str(path), "w", options={"movflags": flags}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "8", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(40):
            image = av.VideoFrame.from_ndarray(picture(index), "rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    whole, starts = path.read_bytes(), []
    while (found := whole.find(b"moof", starts[-1] + 8 if starts else 0)) >= 0:
        starts.append(found - 4)
    return [start for start in starts if start + 4 < len(whole)]


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "frag_keyframe+dash"])
def test_a_cut_off_fragmented_video_is_noticed(tmp_path: Path, flags: str) -> None:
    """Wherever in a fragment's table it ends; a demuxer takes what comes before for the whole."""
    path = tmp_path / "a.mp4"
    starts = write_fragments(path, flags)
    whole = path.read_bytes()
    assert (len(starts), len(scan(path).times)) == (5, 40)
    for start in starts[1:]:
        for length in (9, 16, 60, 100):
            path.write_bytes(whole[: start + length])
            with pytest.raises(MediaError):
                scan(path)


@pytest.mark.parametrize("size", [4, 30, 100])
def test_a_damaged_table_of_a_fragment_is_noticed(tmp_path: Path, size: int) -> None:
    """Its frames, or all behind it, would not be missed: the boxes do not fill each other."""
    path = tmp_path / "a.mp4"
    starts = write_fragments(path)
    whole = path.read_bytes()
    for first in (start + offset for start in starts[1:] for offset in (0, 4, 8)):
        for block in (b"", bytes(size), random.Random(first).randbytes(size)):
            path.write_bytes(whole[:first] + block + whole[first + size :])
            with pytest.raises(MediaError):
                scan(path)


def test_what_lies_behind_the_last_fragment_is_no_damage(tmp_path: Path) -> None:
    """Padding, and an index that is cut off: every frame is there."""
    path = tmp_path / "a.mp4"
    write_fragments(path)
    whole = path.read_bytes()
    assert whole[-12:-8] == b"mfro"
    for content in (whole + bytes(3), whole + bytes(5000), whole[:-7]):
        path.write_bytes(content)
        assert len(scan(path).times) == 40


@pytest.mark.parametrize("size", ["01000000ffffffff", "0100310000000002", "01fffffffffffffe"])
def test_a_matroska_size_beyond_any_disk_is_named(tmp_path: Path, size: str) -> None:
    """Found by the fuzzer: a file system refuses to seek so far."""
    path = write_clip(tmp_path / "a.mkv")
    whole = path.read_bytes()
    place = whole.index(b"\x18\x53\x80\x67") + 4
    path.write_bytes(whole[:place] + bytes.fromhex(size) + whole[place + 8 :])
    with pytest.raises(MediaError):
        scan(path)
    missing = int(size[2:], 16) + place + 8 - len(whole)
    assert count_missing_bytes(path) == missing


@pytest.mark.parametrize("change", ["size left open", "more behind it", "short numbers"])
def test_a_matroska_file_may_state_no_size_or_hold_more(tmp_path: Path, change: str) -> None:
    """Recorders of a stream do not know the size; other tools write more behind the segment."""
    path = write_clip(tmp_path / "a.mkv")
    whole = path.read_bytes()
    place = whole.index(b"\x18\x53\x80\x67") + 4
    size = whole[place : place + 8]
    changed = {
        "size left open": whole[:place] + b"\x01" + b"\xff" * 7 + whole[place + 8 :],
        "more behind it": whole + bytes(100),
        "short numbers": whole[:place] + bytes([size[4] | 0x10]) + size[5:] + whole[place + 8 :],
    }
    path.write_bytes(changed[change])
    assert len(scan(path).times) == 40


def test_damaged_times_are_noticed(tmp_path: Path) -> None:
    """A table of composition times that was lost does not put frames in another order."""
    path = write_clip(tmp_path / "a.mp4", options={"bf": "3"})
    whole = path.read_bytes()
    table = whole.index(b"ctts") + 12
    for block in (bytes(32), b"\x00\x00\x00\x01\x00\x7f\x00\x00" * 4):
        path.write_bytes(whole[:table] + block + whole[table + len(block) :])
        with pytest.raises(MediaError):
            video(path, frames=40)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The native decoders keep quiet about damaged files; the error says it all."""
    path = write_clip(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[:-400])
    capfd.readouterr()
    with pytest.raises(MediaError):
        video(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(find_spec("decord") is None, reason="decord is not available here")
def test_files_that_decord_reads_otherwise_are_named(tmp_path: Path) -> None:
    """An open group of pictures makes decord show frame 22 for 31; ours is right and says so."""
    other = write_clip(tmp_path / "open.mkv", codec="libx264", options=OPEN_GROUPS)
    same = write_clip(tmp_path / "closed.mp4", codec="libx264", options={"g": "12"})
    every = policy(40)
    assert numbers(decode_and_compare(Media(path=same), every, patch_multiple=4)) == tuple(
        range(40)
    )
    with pytest.raises(DecordDiffersError, match=r"open\.mkv: at frame \d+ decord shows another"):
        decode_and_compare(Media(path=other), policy(5), patch_multiple=4)


@pytest.mark.parametrize("kind", [MediaKind.VIDEO, MediaKind.IMAGE])
def test_a_pipe_or_device_is_no_video(tmp_path, kind):
    """Neither is opened: a pipe waits for a writer, a device may never end."""
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for name, reason in (("pipe.mp4", "is a pipe"), ("zero.mp4", "is a device"), (".", "a folder")):
        media = Media(path=tmp_path / name, kind=kind)
        with pytest.raises(MediaError, match=f"{reason}, expected a file"):
            decode(media, FramePolicy(), patch_multiple=28)
