from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.data import DataCommand
from harness.data.fetch import Source
from harness.errors import UsageError
from harness.run.media_check import (
    SHOWN,
    Gap,
    find_damage,
    find_gaps,
    missing_media,
    probe_jobs,
    require_media,
)
from harness.run.plan import Plan
from harness.schema import Failure, Media, Sample
from harness.video.jobs import DecodeJob
from tests.clips import write_clip, write_sound
from tests.harness.video.odd_videos import write_size_change, write_with_cover
from tests.toys import ToyTask, planned, sample


class PublishedToy(ToyTask):
    """The toy benchmark, published without the media of its odd questions."""

    source = Source(
        repo="owner/toy",
        revision="a" * 40,
        folder="toy",
        files=("*.json",),
        undistributed={"odd": "odd videos are private"},
    )


class FakePool:
    """Decodes nothing; the media whose name begins with `bad` fail."""

    def release(self, job: DecodeJob) -> None:
        """Nothing is held."""

    def decode(self, jobs: Iterable[DecodeJob]) -> Iterator[tuple[DecodeJob, Failure | tuple[()]]]:
        for job in jobs:
            path = job.media[0].path
            torn = Failure(stage="media", error="MediaError", message=f"{path}: torn")
            yield job, torn if path.name.startswith("bad") else ()


def ask(folder: Path, names: Sequence[str]) -> list[Sample]:
    """Return one question per video name, numbered from 0."""
    return [sample(number, media=(Media(path=folder / name),)) for number, name in enumerate(names)]


def test_each_missing_path_is_listed_once_in_order(tmp_path: Path) -> None:
    """Questions that share a missing video list it once."""
    (tmp_path / "there.mp4").touch()
    samples = ask(tmp_path, ["z.mp4", "there.mp4", "a.mp4", "z.mp4"])
    assert missing_media(samples) == [tmp_path / "z.mp4", tmp_path / "a.mp4"]


def test_questions_without_media_miss_nothing() -> None:
    """Text-only samples need no files."""
    assert missing_media([sample(0), sample(1)]) == []


def test_gaps_are_grouped_by_why_the_media_are_missing(tmp_path: Path) -> None:
    """Media that nobody publishes are told apart from those that a fetch brings."""
    task = PublishedToy()
    gaps = find_gaps(task, ask(tmp_path, ["0.mp4", "1.mp4", "0.mp4"]))
    assert gaps == [
        Gap(
            reason="missing; `videor1 data fetch toy` brings them from"
            " https://huggingface.co/datasets/owner/toy",
            media=(str(tmp_path / "0.mp4"),),
            items=2,
        ),
        Gap(
            reason="odd videos are private",
            media=(str(tmp_path / "1.mp4"),),
            items=1,
            obtainable=False,
        ),
    ]


def test_task_without_source_points_to_its_homepage(tmp_path: Path) -> None:
    """A benchmark that cannot be fetched says where it is published."""
    (gap,) = find_gaps(ToyTask(), ask(tmp_path, ["0.mp4"]))
    assert gap.reason == "missing; published at nowhere"


def test_long_gaps_show_the_first_files_and_count_the_rest() -> None:
    """A benchmark without its videos does not flood the terminal."""
    gap = Gap(reason="gone", media=tuple(str(number) for number in range(250)), items=300)
    lines = gap.lines()
    assert lines[0] == "  0"
    assert lines[SHOWN:] == ["  and 240 more", "gone (files: 250, items: 300)"]


def test_missing_media_stop_a_run_before_it_starts(tmp_path: Path) -> None:
    """A plan whose media can be had and are not there is refused, with every file named."""
    with pytest.raises(UsageError, match=r"0\.mp4"):
        require_media(Plan((planned(ask(tmp_path, ["0.mp4"])),)))


def test_media_that_nobody_publishes_are_a_warning(tmp_path: Path) -> None:
    """A run goes on without what its user cannot get, and says so."""
    asked = replace(planned(ask(tmp_path, ["0.mp4", "1.mp4"])[1:]), task=PublishedToy())
    assert require_media(Plan((asked,))) == [
        f"  {tmp_path / '1.mp4'}",
        "odd videos are private (files: 1, items: 1)",
    ]


def test_complete_media_let_a_run_start_without_warnings(tmp_path: Path) -> None:
    """A plan with all its media gives nothing to say."""
    (tmp_path / "0.mp4").touch()
    assert require_media(Plan((planned(ask(tmp_path, ["0.mp4"])),))) == []


def test_each_medium_on_disk_is_probed_once(tmp_path: Path) -> None:
    """Shared videos are decoded once, missing ones not at all."""
    (tmp_path / "there.mp4").touch()
    samples = ask(tmp_path, ["there.mp4", "there.mp4", "gone.mp4"])
    assert [job.media[0].path.name for job in probe_jobs(samples)] == ["there.mp4"]


def test_damaged_media_are_one_gap_with_what_decoding_said(tmp_path: Path) -> None:
    """Every file that fails is listed with its error, and the questions it spoils are counted."""
    for name in ("good.mp4", "bad1.mp4", "bad2.mp4"):
        (tmp_path / name).touch()
    samples = ask(tmp_path, ["good.mp4", "bad2.mp4", "bad1.mp4", "bad1.mp4"])
    ticks: list[None] = []
    gaps = find_damage(samples, probe_jobs(samples), FakePool(), lambda: ticks.append(None))
    assert [gap.media for gap in gaps] == [
        (f"{tmp_path / 'bad1.mp4'}: torn", f"{tmp_path / 'bad2.mp4'}: torn")
    ]
    assert gaps[0].items == 3
    assert len(ticks) == 3


ROW = {
    "id": 1,
    "dataset": "scannet",
    "scene_name": "scene0",
    "question_type": "object_counting",
    "question": "How many chairs are there?",
    "options": None,
    "ground_truth": "3",
    "pruned": False,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data root with one VSI-Bench question and an empty file for its video."""
    folder = tmp_path / "vsibench"
    (folder / "scannet").mkdir(parents=True)
    (folder / "test.jsonl").write_text(json.dumps(ROW))
    (folder / "scannet" / "scene0.mp4").touch()
    return tmp_path


def check(data: Path, *flags: str) -> int:
    """Run ``videor1 data check`` and return its exit code."""
    parser = ArgumentParser()
    command = DataCommand()
    command.configure(parser)
    return command.run(parser.parse_args(["check", "--data", str(data), *flags])).code


def test_check_of_complete_data_passes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tasks whose folder exists are checked when none is named."""
    assert main(["data", "check", "--data", str(data)]) == 0
    printed = capsys.readouterr()
    assert "vsibench" in printed.out
    assert "the data of 1 items is complete" in printed.err


def test_check_counts_what_is_missing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing video is listed with where to get it, and the exit code is 4."""
    video = data / "vsibench/scannet/scene0.mp4"
    video.unlink()
    assert check(data) == 4
    printed = capsys.readouterr().out
    assert str(video) in printed
    assert "videor1 data fetch vsibench" in printed


def test_decoding_finds_the_damaged_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty video passes as present and fails as a video."""
    assert check(data, "--decode") == 4
    assert "scene0.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda path: path.write_bytes(b"no video"), "delete and fetch them again"),
        (write_sound, "fetching them again does not help"),
        (lambda path: write_with_cover(path, sound=True), "fetching them again does not help"),
        (write_size_change, "fetching them again does not help"),
        (Path.mkdir, "check that they are files, their permissions and the disk"),
    ],
)
def test_the_advice_fits_the_reason(data: Path, capsys: pytest.CaptureFixture[str], make, advice):
    """A file that is sound is not to be deleted."""
    video = data / "vsibench/scannet/scene0.mp4"
    video.unlink(missing_ok=True)
    make(video)
    assert check(data, "--decode") == 4
    printed = " ".join(capsys.readouterr().out.split())
    assert advice in printed
    assert ("delete" in printed) == ("delete" in advice)


@pytest.mark.parametrize(
    ("error", "advice"), [("TimeoutError", "not decoded in time"), ("ChildProcessError", "memory")]
)
def test_a_slow_or_large_file_is_not_called_damaged(tmp_path: Path, error: str, advice: str):
    """The pool says how decoding ended."""
    (tmp_path / "big.mp4").touch()
    samples = ask(tmp_path, ["big.mp4"])

    class Ends(FakePool):
        def decode(self, jobs):
            for job in jobs:
                yield job, Failure(stage="media", error=error, message=f"{job.media[0].path}: it")

    (gap,) = find_damage(samples, probe_jobs(samples), Ends(), lambda: None)
    assert advice in gap.reason
    assert "delete" not in gap.reason


def test_without_decord_the_files_are_decoded_all_the_same(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On platforms that decord has no packages for."""
    monkeypatch.setitem(sys.modules, "decord", None)
    write_clip(data / "a.mp4").rename(data / "vsibench/scannet/scene0.mp4")
    assert check(data, "--decode") == 0
    assert "decord is not available on this platform" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("decord") is None, reason="decord is not available here")
def test_a_sound_file_that_decord_misreads_is_noted(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It can be evaluated, so the check passes; it explains a gap to numbers made with decord."""
    made = write_clip(
        data / "open.mkv",
        codec="libx264",
        options={"x264-params": "open-gop=1:keyint=10:bframes=3:b-adapt=0"},
    )
    made.rename(data / "vsibench/scannet/scene0.mp4")
    assert check(data, "--decode") == 0
    assert "decord" in capsys.readouterr().out


def test_malformed_question_is_named(data: Path) -> None:
    """A row without its answer is an error with file and row."""
    (data / "vsibench/test.jsonl").write_text(json.dumps(ROW | {"ground_truth": None}))
    with pytest.raises(UsageError, match=r"test\.jsonl.*ground_truth"):
        check(data)


@pytest.mark.parametrize("flags", [(), ("--tasks", "mvbench")])
def test_missing_folder_says_what_to_do(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Without a benchmark folder the command says how to bring one."""
    with pytest.raises(
        UsageError, match=r"videor1 data fetch .*--data|--data .*videor1 data fetch"
    ):
        check(tmp_path, *flags)
