"""Videos that are sound but not plain: frames and times are those that ffmpeg shows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.errors import MediaError
from harness.schema import Clip, FramePolicy, FrameRule, Media, MediaKind
from harness.video.decode import decode
from harness.video.reader import read
from harness.video.track import packets_of, scan
from tests.clips import case_number, number, write_clip, write_folder
from tests.harness.video import odd_videos as odd
from tests.paths import SHARED

CASES = SHARED / "cases" / "eval"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg binary")

OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=10:bframes=3:b-adapt=0"}
UNEVEN = [*range(20), *range(20, 160, 7)]
JITTER = [3 * place + (place * place) % 3 for place in range(40)]
EDITS = {
    "tail": lambda path: [(2000, odd.media_time(path, 0))],
    "head": lambda path: [(2000, odd.media_time(path, 17))],
    "delay": lambda path: [(700, -1), (4000, odd.media_time(path, 0))],
    "two": lambda path: [(1000, odd.media_time(path, 5)), (1000, odd.media_time(path, 25))],
}
TURNS = {
    "same": (1, 0, 0, 1),
    "mirror": (-1, 0, 0, 1),
    "flip": (1, 0, 0, -1),
    "half": (-1, 0, 0, -1),
    "left": (0, -1, 1, 0),
    "right": (0, 1, -1, 0),
    "transpose": (0, 1, 1, 0),
    "transverse": (0, -1, -1, 0),
}
NOT_CODED = bytes.fromhex("000001b6549f")
"""An MPEG-4 picture that says "not coded", at a resolution of 10 ticks."""


def _variable(folder: Path, name: str) -> Path:
    match name:
        case "jitter.mkv":
            return write_clip(folder / name, pts=JITTER)
        case "two_rates.mp4":
            return write_clip(folder / name, pts=UNEVEN, options={"bf": "3"})
        case "two_rates.webm":
            return write_clip(folder / name, codec="libvpx", pts=UNEVEN)
        case _:
            return write_clip(folder / name, pts=[100 + place**2 for place in range(40)])


def _edited(folder: Path, name: str) -> Path:
    kind, _, b_frames = name.partition("-")
    path = write_clip(folder / f"{name}.mp4", options={"bf": b_frames, "g": "12"})
    return odd.set_edits(path, EDITS[kind](path))


def _turned(folder: Path, name: str) -> Path:
    return odd.set_matrix(write_clip(folder / f"{name}.mp4", 12), *TURNS[name])


def _padded(folder: Path, name: str) -> Path:
    codec, suffix, form = name.split("-")
    options = {"x265-params": "log-level=0"} if codec == "libx265" else {"bf": "0"}
    plain = write_clip(folder / f"plain.{suffix}", codec=codec, options=options)
    pad = odd.pad_units if form == "units" else odd.pad_start_codes
    return odd.repack(plain, folder / f"padded.{suffix}", lambda _, packet: [pad(packet)])


def _avi(folder: Path, name: str) -> Path:
    options = {"bf": "1", "b_strategy": "0"} if name == "packed" else {"bf": "0"}
    plain = write_clip(folder / "plain.avi", codec="mpeg4", options=options)
    if name == "packed":
        return odd.pack_frames(plain, folder / "packed.avi")
    packets = odd.packets(plain)
    filler = NOT_CODED if name == "not_coded" else b""
    chunks = [chunk for place, packet in enumerate(packets)
              for chunk in ([packet, filler] if place % 5 == 2 else [packet])]  # fmt: skip
    chunks += [b""] * 3 if name == "empty_end" else []
    return odd.write_chunks(plain, folder / f"{name}.avi", chunks)


def _joined(folder: Path, name: str) -> Path:
    """Put a recording twice into one file; its clock begins again."""
    part = write_clip(folder / "part.ts", int(name)).read_bytes()
    (folder / "joined.ts").write_bytes(part + part)
    return folder / "joined.ts"


def _doubled(folder: Path, name: str) -> Path:
    b_frames, _, doubled = name.partition("-")
    plain = write_clip(folder / "plain.mp4", options={"bf": b_frames})
    return odd.double_times(plain, folder / "doubled.mkv", [int(doubled)])


def _begun_late(folder: Path, name: str) -> Path:
    kind, _, begin = name.partition("-")
    codec, suffix, options = {
        "closed": ("libx264", "mkv", {"g": "12", "bf": "3"}),
        "open": ("libx264", "mkv", OPEN_GROUPS),
        "mpeg2": ("mpeg2video", "ts", {"g": "12", "bf": "2"}),
    }[kind]
    plain = write_clip(folder / ("plain.ts" if suffix == "ts" else "plain.mp4"), codec=codec,
                       options=options)  # fmt: skip
    keep = int(begin)
    return odd.repack(
        plain, folder / f"late.{suffix}", lambda place, packet: [packet] if place >= keep else []
    )


MADE = [
    *[(_variable, name) for name in ("jitter.mkv", "two_rates.mp4", "two_rates.webm", "late.mp4")],
    *[(_edited, f"{kind}-{b_frames}") for kind in EDITS for b_frames in (0, 3)],
    *[(_turned, name) for name in TURNS],
    *[(_padded, name) for name in (
        "libx264-mp4-units", "libx264-mkv-units", "libx265-mp4-units", "libx265-mkv-units",
        "libx264-ts-codes", "libx264-avi-codes", "mpeg4-mkv-codes", "mpeg4-avi-codes",
    )],
    *[(_avi, name) for name in ("empty", "empty_end", "not_coded", "packed")],
    *[(_begun_late, name) for name in ("closed-1", "closed-5", "open-1", "open-12", "mpeg2-5")],
    *[(_joined, name) for name in ("20", "80")],
    *[(_doubled, name) for name in ("0-11", "3-10", "3-11", "3-12")],
    *[(lambda folder, name: odd.write_with_cover(folder / name, sound=False), "cover.mp4")],
    *[(lambda folder, name: odd.write_size_change(folder / name), "sizes.ts")],
]  # fmt: skip


@pytest.mark.parametrize(("make", "name"), MADE, ids=[name for _, name in MADE])
def test_frames_and_times_are_those_of_the_decoder(tmp_path: Path, make, name: str) -> None:
    """Without our checks, PyAV's libraries show the same frames; only turning is left to us."""
    path = make(tmp_path, name)
    track = scan(path)
    ours = dict(read(track, range(len(track.times))))
    with av.open(str(path)) as container:
        shown = [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    assert len(ours) == len(shown)
    if make is not _turned:
        assert all(np.array_equal(ours[index], pixels) for index, (_, pixels) in enumerate(shown))
    if name != "packed" and make is not _joined:  # ffmpeg itself mends their times
        times = [time - shown[0][0] for time, _ in shown]
        assert track.times == pytest.approx(times, abs=1e-3)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("make", "name"),
    [one for one in MADE if one[1] != "sizes.ts"],  # ffmpeg scales these to one size
    ids=[name for _, name in MADE if name != "sizes.ts"],
)
def test_frames_and_times_are_those_of_ffmpeg(tmp_path: Path, make, name: str) -> None:
    """The program ffmpeg of the system, of whatever version."""
    path = make(tmp_path, name)
    track = scan(path)
    ours = dict(read(track, range(len(track.times))))
    times, frames = ffmpeg_frames(path, ours[0].shape)
    if make is _joined:  # ffmpeg joins them, ffprobe shows the clock as it is
        times = [place / 10 for place in range(len(times))]
    assert track.times[: len(times)] == pytest.approx([t - times[0] for t in times], abs=1e-3)
    assert len(frames) == len(ours)
    for index, theirs in enumerate(frames):
        assert np.abs(ours[index].astype(int) - theirs).mean() < 3


def ffmpeg_frames(path: Path, shape: tuple[int, ...]) -> tuple[list[float], NDArray[np.uint8]]:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-vsync", "passthrough"]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    table = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "csv=p=0",
         "-show_entries", "frame=best_effort_timestamp_time", str(path)],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    known = [line.split(",")[0] for line in table.splitlines() if line]
    times = [float(time) for time in known if time != "N/A"]  # it guesses none for a last B-frame
    return times, np.frombuffer(raw, np.uint8).reshape(-1, *shape)


def clip_of(path: Path, policy: FramePolicy | None = None, **span: float) -> Clip:
    return decode(Media(path=path, **span), policy or FramePolicy(min_pixels=1), patch_multiple=4)


def every(frames: int) -> FramePolicy:
    return FramePolicy(rule=FrameRule.LINSPACE, max_frames=frames, min_pixels=1, max_pixels=10**6)


@needs_cases
def test_webm_without_a_rate_takes_the_frames_of_its_length() -> None:
    """15.3 s at two frames a second is more than 16."""
    clip = clip_of(CASES / "webm_no_frame_rate" / "rec10.webm")
    assert len(clip.indices) == 16
    assert (clip.timestamps[0], clip.timestamps[-1]) == (0.0, 15.253)
    assert clip.duration_s == pytest.approx(15.3, abs=0.1)
    assert clip.fps == pytest.approx(9.8, abs=0.05)


@needs_cases
def test_a_doubled_time_stamp_costs_one_place() -> None:
    """Frames 10 and 11 share 0.4 s; the last frame is at 30.2 s."""
    path = CASES / "duplicate_time_vfr" / "dup_vfr.mkv"
    clip = clip_of(path, every(60))
    assert [case_number(frame) for frame in clip.frames] == list(range(60))
    assert clip.timestamps[9:13] == (0.36, 0.4, 0.4, 0.48)
    assert clip.timestamps[-1] == 30.2
    assert len(clip_of(path).indices) == 16


@needs_cases
def test_pairs_of_a_variable_rate_have_their_own_times() -> None:
    """The means of eight evenly spaced frames, two by two: 0.1, 0.5, 1.4 and 4.1 s."""
    times = clip_of(CASES / "vfr_clock" / "vfr.mp4", every(8)).timestamps
    pairs = [f"{(one + two) / 2:.1f}" for one, two in zip(times[::2], times[1::2], strict=True)]
    assert pairs == ["0.1", "0.5", "1.4", "4.1"]


@needs_cases
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("pad_h264_mkv/pad_h264.mkv", list(range(60))),
        ("elst_tail/elst_tail.mp4", list(range(50))),
    ],
)
def test_cases_show_every_frame(name: str, numbers: list[int]) -> None:
    """Zero padding and a trimming edit list are no damage."""
    clip = clip_of(CASES / name, every(len(numbers)))
    assert [case_number(frame) for frame in clip.frames] == numbers


@needs_cases
def test_dropped_frames_of_an_avi_keep_their_ticks() -> None:
    """54 of 60 ticks hold a frame, and each shows the number of its tick."""
    clip = clip_of(CASES / "avi_null_frames" / "skip.avi", every(54))
    shown = [case_number(frame) for frame in clip.frames]
    assert len(shown) == 54
    assert clip.timestamps == pytest.approx([tick / 25 for tick in shown])


@needs_cases
def test_a_mirrored_video_is_mirrored() -> None:
    """Blue is top left and red top right."""
    frame = clip_of(CASES / "mirror_hflip" / "hflip.mp4", every(2)).frames[0]
    left, right = frame[10, 10].tolist(), frame[10, -10].tolist()
    assert (np.argmax(left), np.argmax(right)) == (2, 0)


@needs_cases
def test_double_files_of_a_mac_are_no_frames() -> None:
    """The images that a Mac's archive has hidden files beside: all of them, and only they."""
    media = Media(path=CASES / "frames_apple_double" / "f", kind=MediaKind.FRAMES, fps=3.0)
    clip = decode(media, every(2), patch_multiple=4)
    images = [path for path in media.path.iterdir() if not path.name.startswith(".")]
    assert clip.total_frames == len(clip.indices) == len(images)


@pytest.mark.parametrize("name", list(TURNS))
def test_all_eight_orientations(tmp_path: Path, name: str) -> None:
    """The numbered corner of the stored frame goes where the matrix sends it."""
    track = scan(_turned(tmp_path, name))
    plain = dict(read(scan(write_clip(tmp_path / "plain.mp4", 12)), [11]))[11]
    turned = dict(read(track, [11]))[11]
    a, b, c, d = TURNS[name]
    expected = plain.transpose(1, 0, 2) if b else plain
    expected = expected[:, ::-1] if a + c < 0 else expected
    expected = expected[::-1] if b + d < 0 else expected
    assert np.array_equal(turned, expected)


@pytest.mark.parametrize(
    "name", ["._00001.png", ".DS_Store1", "Thumbs1.db", "index00001.txt", "00001.jpg.part"]
)
def test_foreign_files_of_a_folder_are_ignored(tmp_path: Path, name: str) -> None:
    """Hidden files, and files that are no images."""
    folder = write_folder(tmp_path / "f")
    (folder / name).write_bytes(b"no image")
    (folder / "sub00003").mkdir()
    media = Media(path=folder, kind=MediaKind.FRAMES, fps=3.0)
    shown = decode(media, every(12), patch_multiple=4)
    assert [number(frame) for frame in shown.frames] == list(range(1, 13))


@pytest.mark.parametrize("name", ["1.png", "frame_00001.png", "00001.jpg", "copy 0001.PNG"])
def test_two_images_of_one_number_are_refused_by_name(tmp_path: Path, name: str) -> None:
    """Neither the first nor the last listed is right."""
    folder = write_folder(tmp_path / "f")
    (folder / name).write_bytes((folder / "00001.png").read_bytes())
    with pytest.raises(MediaError, match="both image 1") as caught:
        decode(Media(path=folder, kind=MediaKind.FRAMES, fps=3.0), every(12), patch_multiple=4)
    assert name in str(caught.value)
    assert "00001.png" in str(caught.value)


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    """An attached picture is not a clip of one frame."""
    path = odd.write_with_cover(tmp_path / "song.mp4", sound=True)
    with pytest.raises(MediaError, match="only sound with a cover picture"):
        clip_of(path)


def test_a_size_that_changes_is_named_in_the_sizes_of_the_file(tmp_path: Path) -> None:
    """Not in those that frames are resized to; frames of one size are shown."""
    path = odd.write_size_change(tmp_path / "sizes.ts")
    with pytest.raises(MediaError, match="frame 0 has 128x96 pixels, frame 12 has 64x48"):
        clip_of(path, every(4))
    clip = clip_of(path, every(4), end_s=0.9)
    assert [number(frame) for frame in clip.frames] == [0, 3, 6, 9]


def test_a_recording_that_begins_amid_a_group_begins_at_its_key_frame(tmp_path: Path) -> None:
    """Frames 5 to 11 need frame 0, which is not there; frame 12 is the first one, and at 0 s."""
    clip = clip_of(_begun_late(tmp_path, "closed-5"), every(4))
    assert (clip.indices[0], clip.timestamps[0], number(clip.frames[0])) == (0, 0.0, 12)
    assert clip.total_frames == 28
    assert "7 frames before the first key frame are left out" in clip.notes[0]


def test_a_stream_that_appears_later_is_no_fault() -> None:
    """Found by the fuzzer: PyAV then raises behind the last packet, when it flushes decoders."""
    sizes = [3, 0, 5, 0]

    class Container:
        def demux(self, stream: object) -> Iterator[SimpleNamespace]:
            yield from (SimpleNamespace(size=size) for size in sizes)
            raise IndexError("list index out of range")

    found = [packet.size for packet in packets_of(Container(), None)]  # type: ignore[arg-type]
    assert found == [3, 5]


def test_a_span_of_a_variable_rate_is_found_by_time(tmp_path: Path) -> None:
    """Ten frames a second for 2 s, then one every 0.7 s: 4.1 to 6.2 s are frames 23 to 26."""
    path = write_clip(tmp_path / "v.mkv", pts=UNEVEN)
    clip = clip_of(path, every(4), start_s=4.1, end_s=6.2)
    assert clip.indices == (23, 24, 25, 26)
    assert clip.timestamps == pytest.approx((0.0, 0.7, 1.4, 2.1))
    with pytest.raises(MediaError, match=r"no frame lies between 30 s and 31 s"):
        clip_of(path, start_s=30, end_s=31)
    few = clip_of(path, FramePolicy(min_pixels=1, min_frames=2), start_s=4.1, end_s=6.2)
    assert few.indices == (23, 24, 25, 26)  # 2.8 s at two a second, no more than there are


def test_a_lost_block_behind_padding_is_still_found(tmp_path: Path) -> None:
    """Zeros inside a slice are damage, and so is a slice without its end."""
    path = _padded(tmp_path, "libx264-mkv-units")
    whole = path.read_bytes()
    packet = max(odd.packets(path)[1:], key=len)
    place = whole.index(packet)
    for begin, end in ((20, 40), (len(packet) // 2, len(packet))):
        path.write_bytes(whole[: place + begin] + bytes(end - begin) + whole[place + end :])
        with pytest.raises(MediaError, match="requested frames can be decoded"):
            clip_of(path, every(40))
