"""A report shows the frames that a run saw, or says why it cannot."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.report.build import build_report
from harness.report.config import FrameChoice
from harness.run.samples_file import StoredMedia
from harness.schema import MediaKind, Outcome
from tests.clips import HEIGHT, WIDTH, picture, write_clip, write_folder
from tests.harness.report.examples import (
    ONE,
    PER_VIDEO,
    SHOWN,
    SHUFFLED,
    VIDEOS,
    details,
    first_records,
    frames_of,
    manifest_of,
    sample_of,
    second_records,
    write_run,
)


def test_every_item_has_the_frames_that_each_run_saw_in_the_order_shown(pair: Path):
    """The pixels of the clips carry the numbers of their frames."""
    for item in details(pair).values():
        ordered, shuffled = item["frames"]
        assert frames_of(pair, ordered["clips"][0]) == list(SHOWN)
        assert frames_of(pair, shuffled["clips"][0]) == list(SHUFFLED)


def test_a_video_is_decoded_and_drawn_once_for_all_questions_and_runs(pair: Path):
    """Four videos, twelve questions, two runs: four pictures."""
    assert len(list((pair / "frames").iterdir())) == VIDEOS


def test_runs_that_saw_other_frames_of_a_video_share_its_picture(tmp_path: Path, clips: Path):
    """One run saw frames 0 and 39, the other 0, 13, 26, 39: the picture has four cells."""
    few = [
        replace(one, frame_indices=((0, 39),), timestamps=((0.0, 3.9),)) for one in first_records()
    ]
    runs = [
        write_run(tmp_path / "few", manifest_of(clips, model="few"), few),
        write_run(tmp_path / "all", manifest_of(clips), first_records()),
    ]
    report = build_report(runs, tmp_path / "out", ONE).page.parent
    first = details(report)["vsibench/0"]["frames"]
    assert [frames_of(report, view["clips"][0]) for view in first] == [[0, 39], list(SHOWN)]
    assert len(list((report / "frames").iterdir())) == VIDEOS


def test_a_missing_video_is_said_in_words_and_the_others_are_shown(tmp_path: Path, clips: Path):
    """The report is built, and both page and command name the flag that helps."""
    data = shutil.copytree(clips, tmp_path / "data")
    (data / "clips" / "video_1.mp4").unlink()
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    built = build_report([run], tmp_path / "out", ONE)
    items = details(built.page.parent)
    clip = items[f"vsibench/{PER_VIDEO}"]["frames"][0]["clips"][0]
    assert (
        clip["problem"]
        == f"{data}/clips/video_1.mp4 is not there; name the data root with --data DIR"
    )
    assert "sprite" not in clip
    assert built.overview.framed == VIDEOS - 1
    assert "1 without: the file is not there" in built.page.read_text()


def test_frames_are_found_again_where_the_data_root_has_moved(tmp_path: Path, clips: Path):
    """``--data`` takes the place of the folder in run.json."""
    run = write_run(tmp_path / "run", manifest_of(tmp_path / "gone"), first_records())
    lost = build_report([run], tmp_path / "lost", ONE)
    assert lost.overview.framed == 0
    found = build_report([run], tmp_path / "found", replace(ONE, data=clips))
    assert found.overview.framed == VIDEOS


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (20, "it has 20 frames, there is no frame 39"),
        (0, "cannot be decoded now"),
    ],
)
def test_a_video_that_is_another_one_now_is_not_shown(
    tmp_path: Path, clips: Path, frames: int, said: str
):
    """It has fewer frames, or is damaged."""
    data = shutil.copytree(clips, tmp_path / "data")
    path = data / "clips" / "video_0.mp4"
    if frames:
        write_clip(path, frames)
    else:
        path.write_bytes(b"no video")
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    report = build_report([run], tmp_path / "out", ONE).page.parent
    assert said in details(report)["vsibench/0"]["frames"][0]["clips"][0]["problem"]


def test_a_video_whose_frames_come_at_other_times_now_is_not_shown(tmp_path: Path, clips: Path):
    """The recorded times are compared with those of the file."""
    data = shutil.copytree(clips, tmp_path / "data")
    slower = [index if index < 20 else index + 5 for index in range(40)]
    write_clip(data / "clips" / "video_0.mp4", pts=slower)
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    report = build_report([run], tmp_path / "out", ONE).page.parent
    problem = details(report)["vsibench/0"]["frames"][0]["clips"][0]["problem"]
    assert problem == (
        "the file has changed since the run: frame 26 came 2.600 s behind frame 0, now it comes"
        " 3.100 s behind it"
    )


def test_frames_none_and_wrong_leave_out_what_they_name(tmp_path: Path, clips: Path):
    """Wrong are 0, 4, 8 and the failed 11, one in each video; made right, only video 0 is left."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    none = build_report([run], tmp_path / "none", replace(ONE, frames=FrameChoice.NONE))
    assert none.overview.framed == 0
    assert not (none.page.parent / "frames").exists()
    right = [
        replace(second_records()[n], outcome=Outcome.WRONG if n == 1 else Outcome.CORRECT)
        for n in range(VIDEOS * PER_VIDEO)
    ]
    run = write_run(tmp_path / "right", manifest_of(clips), right)
    some = build_report([run], tmp_path / "wrong", replace(ONE, frames=FrameChoice.WRONG))
    assert some.overview.framed == 1
    assert "sprite" in details(some.page.parent)["vsibench/2"]["frames"][0]["clips"][0]


def test_pictures_beyond_the_budget_are_left_out_and_counted(tmp_path: Path, clips: Path):
    """A budget of 0 MB has room for none."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    built = build_report([run], tmp_path / "out", replace(ONE, frames_budget=0))
    assert built.overview.framed == 0
    assert built.overview.frame_problems == (
        ("the pictures of the report reached --frames-budget 0", VIDEOS),
    )


ODD: tuple[tuple[dict[str, Any], str | None], ...] = (
    ({"frame_size": ()}, "the record does not hold the sizes and times of its frames"),
    ({"timestamps": ()}, "the record does not hold the sizes and times of its frames"),
    ({"frame_size": ((0, 96),)}, "the record holds no size of a frame: 0 x 96 pixels"),
    ({"frame_size": ((10**9, 96),)}, "the record holds no size of a frame: 1000000000 x 96"),
    ({"frame_indices": ((),)}, "the record names no frame of it"),
    ({"frame_indices": ((-1, 13, 26, 39),)}, "it has 40 frames, there is no frame -1"),
    ({"frame_indices": ((0, 13, 26, 10**12),)}, "there is no frame 1000000000000"),
    ({"frame_indices": (SHOWN, SHOWN)}, "the question names other media than the record"),
    ({"frame_indices": ((0, 13),)}, None),
    ({"frame_indices": ((13, 13, 0, 0),), "timestamps": ((0.0, 0.0, 1.3, 1.3),)}, None),
    ({}, None),
)
"""Changes to a record, and what its item says instead of its frames."""


def test_a_record_with_odd_frames_costs_its_own_item_only(tmp_path: Path, clips: Path):
    """Each item has a video of its own; a frame shown twice is shown twice."""
    (tmp_path / "clips").mkdir()
    records, samples = [], []
    for at, (changes, _) in enumerate(ODD):
        shutil.copy(clips / "clips" / "video_0.mp4", tmp_path / "clips" / f"odd_{at}.mp4")
        media = StoredMedia(path=f"clips/odd_{at}.mp4", kind=MediaKind.VIDEO)
        samples.append(replace(sample_of(at), media=(media,)))
        records.append(replace(second_records()[at], **changes))
    run = write_run(tmp_path / "run", manifest_of(tmp_path), records, samples)
    items = details(build_report([run], tmp_path / "out", ONE).page.parent)
    for at, (_, said) in enumerate(ODD):
        clip = items[f"vsibench/{at}"]["frames"][0]["clips"][0]
        assert (said or "") in clip.get("problem", ""), at
        if said is None:
            assert len(clip["cells"]) == len(clip["indices"]) > 1


def test_images_and_folders_of_frames_are_shown_like_videos(tmp_path: Path):
    """One question shows a folder of numbered images and a picture."""
    data = tmp_path / "data"
    data.mkdir()
    write_folder(data / "folder")
    Image.fromarray(picture(77)).save(data / "one.png")
    asked = replace(
        sample_of(0),
        media=(
            StoredMedia(path="folder", kind=MediaKind.FRAMES, fps=2.0),
            StoredMedia(path="one.png", kind=MediaKind.IMAGE),
        ),
    )
    record = replace(
        first_records()[0],
        frame_indices=((2, 8), (0,)),
        timestamps=((0.0, 3.0), (0.0,)),
        frame_size=((WIDTH, HEIGHT), (WIDTH, HEIGHT)),
    )
    run = write_run(tmp_path / "run", manifest_of(data), [record], [asked])
    report = build_report([run], tmp_path / "out", ONE).page.parent
    folder, image = details(report)["vsibench/0"]["frames"][0]["clips"]
    assert frames_of(report, folder) == [3, 9]  # numbered from one
    assert frames_of(report, image) == [77]
