"""Fetches each benchmark from a miniature of its published repository, then reads and checks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from harness.cli import main
from harness.data.fetch import fetch
from harness.run.media_check import find_gaps
from harness.task import registry
from tests.hub import Files, serve, tarred, zipped

TASKS = (
    "vsibench",
    "videommmu",
    "videommmu-question-only",
    "mvbench",
    "tempcompass",
    "mmvu",
    "videomme",
    "videomme-subtitles",
    "videomme-v2",
    "videomme-v2-subtitles",
    "longvideobench",
    "longvideobench-subtitles",
    "videoholmes",
    "charades-sta",
)


def table(*rows: Mapping[str, Any]) -> bytes:
    """Return rows as a Parquet file."""
    content = BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), content)
    return content.getvalue()


def vsibench() -> Files:
    """Return three questions, one per video set; the zips wrap their folder."""
    sets = ("arkitscenes", "scannet", "scannetpp")
    rows = [
        {
            "id": number,
            "dataset": dataset,
            "scene_name": f"scene{number}",
            "question_type": "object_counting",
            "question": "How many chairs are there?",
            "options": None,
            "ground_truth": "3",
            "pruned": False,
        }
        for number, dataset in enumerate(sets)
    ]
    zips = {
        f"{dataset}.zip": zipped({f"{dataset}/scene{number}.mp4": b"video"})
        for number, dataset in enumerate(sets)
    }
    return {"test.jsonl": "\n".join(map(json.dumps, rows)).encode(), **zips}


def videommmu() -> Files:
    """Return one video in two disciplines' zips each, asked about in all three tracks."""
    names = {"Art": "validation_Art_1", "Science": "validation_Biology_2"}
    rows = [
        {
            "id": name,
            "question": "Which?",
            "options": ["one", "two"],
            "answer": "A",
            "question_type": "multiple-choice",
        }
        for name in names.values()
    ]
    tracks = ("Perception", "Comprehension", "Adaptation")
    alone = zipped({f"question_only/{name}_image.mp4": b"image" for name in names.values()})
    return {
        **{f"{track}/test-00000-of-00001.parquet": table(*rows) for track in tracks},
        **{f"{part}.zip": zipped({f"{part}/{name}.mp4": b"v"}) for part, name in names.items()},
        "question_only.zip": alone,
    }


def mvbench() -> Files:
    """Return tasks of five kinds of media, one of them in the late archive, one undistributed."""
    asked = {
        "object_existence": "video_1.mp4",
        "counterfactual_inference": "video_late.mp4",
        "action_antonym": "2.webm",
        "episodic_reasoning": "clip_3",
        "fine_grained_pose": "S001.avi",
    }
    rows = {
        task: {"video": video, "question": "What?", "candidates": ["a", "b"], "answer": "b"}
        for task, video in asked.items()
    }
    rows["episodic_reasoning"] |= {"start": 0.0, "end": 4.0}
    videos = {
        "clevrer": {"clevrer/video_validation/video_1.mp4": b"v"},
        "data0613": {"data0613/clevrer/video_validation/video_late.mp4": b"v"},
        "ssv2_video": {"ssv2_video/2.webm": b"v"},
        "tvqa": {f"tvqa/frames_fps3_hq/clip_3/{n:05}.jpg": b"frame" for n in range(1, 13)},
    }
    return {
        **{f"json/{task}.json": json.dumps([row]).encode() for task, row in rows.items()},
        **{f"video/{name}.zip": zipped(entries) for name, entries in videos.items()},
        "video/MVBench_videos_ntu.txt": b"S001.avi",
    }


def tempcompass() -> Files:
    """Return one video with one question per task."""
    about = {"video_id": "1034_reverse", "dim": "action"}
    choice = {"question": "What does the boy do?\nA. jump\nB. run", "answer": "A. jump"}
    captions = "Which caption matches the video better?\nCaption A: He jumps.\nCaption B: He runs."
    recast = {"mc_question": choice["question"], "mc_answer": choice["answer"]}
    rows = {
        "multi-choice": choice,
        "yes_no": {"question": "Is the boy jumping?", "answer": "yes"},
        "caption_matching": {"question": captions, "answer": "Caption A: He jumps."},
        "captioning": {"question": "Generated Caption:", "answer": "A. jump", **recast},
    }
    return {
        **{f"{task}/test-00000-of-00001.parquet": table(about | row) for task, row in rows.items()},
        "tempcompass_videos.zip": zipped({"videos/1034_reverse.mp4": b"video"}),
    }


def mmvu() -> Files:
    """Return two questions on videos of two subjects; the repository has videos without zips."""
    videos = ("Art/0.mp4", "Computer_Science/7.mp4")
    rows = [
        {
            "id": f"validation_{number}",
            "video": f"https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos/{video}",
            "question_type": "open-ended",
            "question": "Which?",
            "choices": dict.fromkeys("ABCDE", ""),
            "answer": "zoom",
        }
        for number, video in enumerate(videos)
    ]
    return {
        "validation.json": json.dumps(rows).encode(),
        **{f"videos/{video}": b"video" for video in videos},
    }


def videomme() -> Files:
    """Return a question about a long video, in one of twenty archives, and its subtitles."""
    row = {
        "videoID": "abc",
        "question_id": "601-1",
        "duration": "long",
        "domain": "Knowledge",
        "sub_category": "Law",
        "task_type": "Counting Problem",
        "question": "How many?",
        "options": ["A. 1", "B. 2", "C. 3", "D. 4"],
        "answer": "A",
    }
    subtitles = b"1\n00:00:01,000 --> 00:00:02,000\nHi\n"
    return {
        "videomme/test-00000-of-00001.parquet": table(row),
        "videos_chunked_07.zip": zipped({"data/abc.mp4": b"video"}),
        "subtitle.zip": zipped({"subtitle/abc.srt": subtitles}),
    }


def videomme_v2() -> Files:
    """Return a question, whose video is in one of forty zips, and the words that are said."""
    row = {
        "video_id": "021",
        "question_id": "021-1",
        "group_type": "relevance",
        "group_structure": "4",
        "question": "Why?",
        "options": "\n".join(f"{letter}. it" for letter in "ABCDEFGH"),
        "answer": "A",
        "level": "1",
        "second_head": "Frames",
        "third_head": "Order",
    }
    return {
        "test.parquet": table(row),
        "videos/002.zip": zipped({"021.mp4": b"video"}),
        "subtitle.zip": zipped({"subtitle/021.jsonl": b'{"text": "Hi"}\n'}),
    }


def longvideobench() -> Files:
    """Return a question whose video is in a tar file of several parts."""
    row = {
        "id": "abc_0",
        "video_id": "abc",
        "question": "What?",
        "candidates": ["a cup", "a key"],
        "correct_choice": 1,
        "question_category": "S2E",
        "video_path": "abc.mp4",
        "subtitle_path": "abc_en.json",
        "duration_group": 15,
        "starting_timestamp_for_subtitles": 0,
        "duration": 9.5,
    }
    videos = tarred({"videos/abc.mp4": b"video" * 1000})
    half = len(videos) // 2
    return {
        "lvb_val.json": json.dumps([row]).encode(),
        "videos.tar.part.aa": videos[:half],
        "videos.tar.part.ab": videos[half:],
        "subtitles.tar": tarred({"subtitles/abc_en.json": b"[]"}),
    }


def videoholmes() -> Files:
    """Return a question about one film; the zip has another folder than the script."""
    row = {
        "video ID": "abc",
        "Question ID": "1",
        "Question Type": "SR",
        "Question": "Who?",
        "Options": {"A": "he", "B": "she"},
        "Answer": "B",
    }
    return {
        "test_Video-Holmes.json": json.dumps([row]).encode(),
        "videos.zip": zipped({"videos_cropped/abc.mp4": b"video"}),
    }


def charades_sta() -> Files:
    """Return two sentences about one video, in one of four zips."""
    rows = [
        {"video": "ABCDE.mp4", "caption": f"person {what}.", "timestamp": [1.0, 4.5]}
        for what in ("sits", "runs")
    ]
    return {
        "data/test-00000-of-00001.parquet": table(*rows),
        "Charades_v1_480_part_2.zip": zipped({"Charades_v1_480/ABCDE.mp4": b"video"}),
    }


PUBLISHED: Mapping[str, Callable[[], Files]] = {
    "vsibench": vsibench,
    "videommmu": videommmu,
    "videommmu-question-only": videommmu,
    "mvbench": mvbench,
    "tempcompass": tempcompass,
    "mmvu": mmvu,
    "videomme": videomme,
    "videomme-subtitles": videomme,
    "videomme-v2": videomme_v2,
    "videomme-v2-subtitles": videomme_v2,
    "longvideobench": longvideobench,
    "longvideobench-subtitles": longvideobench,
    "videoholmes": videoholmes,
    "charades-sta": charades_sta,
}
UNWANTED = {"README.md": b"card", ".gitattributes": b"", "extra/model.bin": b"weights"}


@pytest.mark.parametrize("name", TASKS)
def test_fetched_benchmark_has_a_file_for_every_question(name: str, tmp_path: Path) -> None:
    """What the publishers distribute is read and found; what they may not is said to be so."""
    task = registry.get(name)
    assert task.source is not None
    files = PUBLISHED[name]()
    folder = registry.data_folder(task, tmp_path)
    repos = {task.source.repo: {task.source.revision: {**files, **UNWANTED}}}
    with serve(repos) as hub:
        receipt = fetch(task.source, folder, endpoint=hub.endpoint)
    assert set(receipt.files) == set(files)
    samples = task.load(folder).samples
    gaps = find_gaps(task, samples)
    assert len(samples) > 0
    assert [gap for gap in gaps if gap.obtainable] == []
    assert len(gaps) == len(task.source.undistributed)


def test_late_archive_of_mvbench_unpacks_beside_the_others(tmp_path: Path) -> None:
    """Videos of data0613 come to lie where the questions look for them."""
    source = registry.get("mvbench").source
    assert source is not None
    with serve({source.repo: {source.revision: mvbench()}}) as hub:
        fetch(source, tmp_path, endpoint=hub.endpoint)
    found = {path.name for path in (tmp_path / "video/clevrer/video_validation").iterdir()}
    assert found == {"video_1.mp4", "video_late.mp4"}


def test_command_fetches_and_ends_with_the_verdict_of_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``data fetch`` says which commit it brought and whether everything is there."""
    source = registry.get("vsibench").source
    assert source is not None
    with serve({source.repo: {source.revision: vsibench(), "f" * 40: vsibench()}}) as hub:
        flags = ["--data", str(tmp_path), "--endpoint", hub.endpoint]
        assert main(["data", "fetch", "vsibench", *flags]) == 0
        assert f"4 files of commit {source.revision} (our pin)" in capsys.readouterr().out
        assert main(["data", "fetch", "vsibench", *flags, "--revision", "main"]) == 0
        assert f"{'f' * 40} (not our pin)" in capsys.readouterr().out


@pytest.mark.parametrize("name", TASKS)
def test_pin_is_a_commit_and_the_page_is_where_the_task_says(name: str) -> None:
    """Every source names a full commit hash, and tasks and sources agree on the repository."""
    task = registry.get(name)
    assert task.source is not None
    assert len(bytes.fromhex(task.source.revision)) == 20
    assert task.source.page == task.homepage


def test_tasks_command_lists_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    """Each installed benchmark is shown with its scorers and their means."""
    assert main(["tasks"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in TASKS)
    assert "official@1 (macro8)" in printed


def test_what_keeps_a_benchmark_from_being_read_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No folder, no access to a gated repository, a renamed file, half an archive."""
    source = registry.get("longvideobench").source
    assert source is not None
    whole = longvideobench()
    renamed = {**whole, "val.json": whole["lvb_val.json"]}
    del renamed["lvb_val.json"]
    half = {name: data for name, data in whole.items() if name != "videos.tar.part.ab"}

    def fetch_from(files: Files, folder: str, *, gated: bool = False) -> str:
        with serve({source.repo: {source.revision: files}}) as hub:
            hub.gated |= {source.repo} if gated else set()
            flags = ["--data", str(tmp_path / folder), "--endpoint", hub.endpoint]
            assert main(["data", "fetch", "longvideobench", *flags]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert main(["data", "check", "--tasks", "longvideobench", "--data", str(tmp_path)]) == 2
    assert "longvideobench: no such folder" in capsys.readouterr().err
    assert "accept its terms" in fetch_from(whole, "gated", gated=True)
    assert "no question file; looked for lvb_val.json" in fetch_from(renamed, "renamed")
    assert "cannot be unpacked" in fetch_from(half, "half")
