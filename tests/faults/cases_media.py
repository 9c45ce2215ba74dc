"""The shared cases about videos, frame folders and question files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from harness.run.store import read_records
from harness.schema import Clip, FramePolicy, FrameRule, Media, MediaKind, Outcome
from harness.video.decode import decode
from tests.clips import case_number
from tests.faults.cases import CASES, Case, Found, ends_with, run

EVAL = CASES / "eval"
_QUESTION = {
    "id": 0, "dataset": "clips", "question_type": "object_counting", "question": "How many?",
    "ground_truth": "10", "options": None,
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield _video(
        "avi_null_frames/skip.avi", "the 54 stored frames decode", 54,
        lambda clip: clip.total_frames == 54,
    )  # fmt: skip
    yield _video(
        "duplicate_time_vfr/dup_vfr.mkv", "times of 0 to 30.2 s, 16 frames taken", 60,
        lambda clip: clip.timestamps[-1] == 30.2 and _numbers(clip) == list(range(60)),
    )  # fmt: skip
    yield _video(
        "elst_tail/elst_tail.mp4", "50 frames, numbers 0 to 49", 50,
        lambda clip: clip.total_frames == 50 and _numbers(clip) == list(range(50)),
    )  # fmt: skip
    yield _video(
        "mirror_hflip/hflip.mp4", "mirrored: red corner top right, blue top left", 2, _is_mirrored
    )
    yield _video(
        "pad_h264_mkv/pad_h264.mkv", "frame k of 60 shows k", 60,
        lambda clip: _numbers(clip) == list(range(60)),
    )  # fmt: skip
    yield _video(
        "vfr_clock/vfr.mp4", "means of the times of each pair: 0.1, 0.5, 1.4, 4.1 s", 8,
        lambda clip: _pairs(clip) == ["0.1", "0.5", "1.4", "4.1"],
    )  # fmt: skip
    yield _video(
        "webm_no_frame_rate/rec10.webm", "video-r1 takes 16 frames, the clip is 15 s", 16,
        lambda clip: 15 <= clip.duration_s <= 15.5,
    )  # fmt: skip
    yield Case("eval/frames_apple_double", "files that begin with ._ are ignored", _look_at_folder)
    yield Case("eval/empty_question_file", "refused, exit 2", _look_at_empty_file)
    yield Case("eval/mvbench_27_candidates", "exit 2 with file, row and field", _look_at_27)


def write_question(data: Path, video: Path, **fields: object) -> Path:
    """Write a benchmark folder of one question about a video, and return the data root."""
    folder = data / "vsibench"
    (folder / "clips").mkdir(parents=True)
    shutil.copyfile(video, folder / "clips" / f"x{'.mp4' if video.suffix else ''}")
    question = {**_QUESTION, "scene_name": "x", **fields}
    (folder / "test.jsonl").write_text(json.dumps(question) + "\n")
    return data


def _video(name: str, right: str, frames: int, holds: Callable[[Clip], bool]) -> Case:
    """Return the case of a video: decoded frame by frame, and asked about in an evaluation."""

    def look(folder: Path) -> Found:
        policy = FramePolicy(
            rule=FrameRule.LINSPACE, max_frames=frames, min_pixels=1, max_pixels=10**6
        )
        clip = decode(Media(path=EVAL / name), policy, patch_multiple=4)
        done = run(
            "eval", "x", "--backend", "fake", "--data", write_question(folder / "d", EVAL / name),
            "--tasks", "vsibench", "--out", folder / "r", "--workers", "1", at=folder,
        )  # fmt: skip
        [record] = read_records(folder / "r")
        taken = record.timestamps[0] if record.timestamps else ()
        gives = (
            f"{clip.total_frames} frames in {clip.duration_s:.4g} s; video-r1 takes {len(taken)}"
            f" up to {taken[-1] if taken else 0:.5g} s; exit {done.code}"
        )
        if frames == 8:
            gives += f"; pairs {', '.join(_pairs(clip))}"
        long = clip.duration_s > 8
        whole = done.code == 0 and record.outcome is not Outcome.FAILED
        return Found(gives, holds(clip) and whole and (len(taken) == 16 or not long))

    return Case(f"eval/{name.partition('/')[0]}", right, look)


def _numbers(clip: Clip) -> list[int]:
    return [case_number(frame) for frame in clip.frames]


def _pairs(clip: Clip) -> list[str]:
    times = clip.timestamps
    return [f"{(one + two) / 2:.1f}" for one, two in zip(times[::2], times[1::2], strict=True)]


def _is_mirrored(clip: Clip) -> bool:
    left, right = clip.frames[0][10, 10], clip.frames[0][10, -10]
    return (int(np.argmax(left)), int(np.argmax(right))) == (2, 0)


def _look_at_folder(folder: Path) -> Found:
    media = Media(path=EVAL / "frames_apple_double" / "f", kind=MediaKind.FRAMES, fps=3.0)
    shown = decode(media, FramePolicy(max_frames=8, min_frames=2), patch_multiple=28)
    images = [path for path in media.path.iterdir() if path.name[0] != "."]
    gives = f"{shown.total_frames} frames from {len(images)} images beside {len(images)} ._ files"
    return Found(gives, shown.total_frames == len(images))


def _look_at_empty_file(folder: Path) -> Found:
    data = folder / "d" / "vsibench"
    data.mkdir(parents=True)
    shutil.copyfile(EVAL / "empty_question_file" / "test.jsonl", data / "test.jsonl")
    words = ("eval", "x", "--backend", "fake", "--data", "d", "--tasks", "vsibench", "--out", "r")
    return ends_with(run(*words, at=folder), 2, "test.jsonl")


def _look_at_27(folder: Path) -> Found:
    data = folder / "d" / "mvbench" / "json"
    data.mkdir(parents=True)
    shutil.copyfile(
        EVAL / "mvbench_27_candidates" / "object_shuffle.json", data / "object_shuffle.json"
    )
    words = ("eval", "x", "--backend", "fake", "--data", "d", "--tasks", "mvbench", "--out", "r")
    return ends_with(run(*words, at=folder), 2, "object_shuffle.json", "row 0", "candidates")
