"""A report holds the scores, differences and items of its runs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtr

from harness.cli import main
from harness.errors import DatasetError, UsageError
from harness.report.build import build_report
from harness.report.config import FrameChoice
from harness.run.record_lines import RecordFiles, walk_records
from tests.harness.report.examples import (
    ONE,
    PER_VIDEO,
    VIDEOS,
    details,
    first_records,
    manifest_of,
    read_script,
    record_of,
    sample_of,
    second_records,
    write_pair,
    write_run,
)
from tests.paths import ROOT


def test_a_run_without_its_questions_is_shown_with_what_it_has(tmp_path: Path, clips: Path):
    """Runs of before have no samples.jsonl: answers and scores are there, and a note."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    (run / "samples.jsonl").unlink()
    built = build_report([run], tmp_path / "out", ONE)
    item = details(built.page.parent)["vsibench/4"]
    assert item["question"] is None
    assert item["answers"][0][0]["answer"] == "D"
    assert "it was made before questions were kept" in built.page.read_text()


def test_scores_and_differences_are_those_of_the_records(tmp_path: Path, clips: Path):
    """Worked by hand, on the 11 items that both answered; the scorer takes the plain mean.

    The first run is right on 1 2 3 5 6 7 9 10, the second on 0 2 4 6 8 10: 8/11 and 6/11. By video
    (0 1 2 | 3 4 5 | 6 7 8 | 9 10) the differences sum to 0, -1, 0 and -1, which minus their share
    3, 3, 3 and 2 of the mean -2/11 are 6/11, -5/11, 6/11 and -7/11, each over 11 items; the
    standard error is sqrt(4/3 * (36 + 25 + 36 + 49)) / 121.
    """
    runs = write_pair(tmp_path, clips)
    overview = build_report(runs, tmp_path / "out", replace(ONE, frames=FrameChoice.NONE)).overview
    [section] = overview.tasks
    [first, second] = section.runs
    assert first is not None
    assert second is not None
    assert first.whole.score == pytest.approx(100 * 8 / 11)
    assert (first.outcomes["correct"], first.outcomes["wrong"], first.outcomes["failed"]) == (
        8,
        3,
        1,
    )
    [comparison] = overview.comparisons
    [task] = comparison.tasks
    assert task.whole.figure.score == pytest.approx(-100 * 2 / 11)
    assert task.whole.figure.n == 11
    assert task.whole.p is not None
    shares = np.array([3, 3, 3, 2]) / 11
    degrees = 1 / np.sqrt(np.sum(shares**3)) - 1
    error = np.sqrt(4 / 3 * (36 + 25 + 36 + 49)) / 121
    assert task.whole.p == pytest.approx(2 * stdtr(degrees, -2 / 11 / error))
    table = task.whole.table
    assert (table.both, table.first, table.second, table.none) == (3, 5, 3, 0)
    assert task.left_out == ("1 items failed in one of them",)
    losses = [(flip.cluster, flip.lost, flip.gained) for flip in comparison.flips]
    assert losses == [("scene_1", 2, 1), ("scene_3", 1, 0), ("scene_0", 1, 1), ("scene_2", 1, 1)]


def test_fields_of_the_protocol_that_differ_are_named(pair: Path):
    """The runs differ in the order of frames, and so in the hash."""
    text = (pair / "index.html").read_text()
    assert "<code>frames.order</code>" in text
    assert "2 fields differ" in text


def test_another_order_of_options_is_mapped_to_the_options_shown(tmp_path: Path, clips: Path):
    """An answer A to rotated options is the option that stands elsewhere for the first run."""
    moved = [
        replace(sample, options=(*sample.options[-1:], *sample.options[:-1]), gold="BC"[place % 2])
        for n in range(VIDEOS * PER_VIDEO)
        for sample, place in [(sample_of(n), n % PER_VIDEO)]
    ]
    runs = [
        write_run(tmp_path / "plain", manifest_of(clips, model="plain"), first_records()),
        write_run(tmp_path / "moved", manifest_of(clips, model="moved"), second_records(), moved),
    ]
    config = replace(ONE, frames=FrameChoice.NONE)
    item = details(build_report(runs, tmp_path / "out", config).page.parent)["vsibench/0"]
    plain, other = item["answers"]
    assert (plain[0]["answer"], plain[0]["chosen"]) == ("D", 3)
    assert (other[0]["answer"], other[0]["chosen"]) == ("A", 3)
    assert item["gold_option"] == 0
    assert item["own"][0] is None
    assert item["own"][1]["gold"] == "B"
    assert item["own"][1]["options"][0] == "none"


def test_a_run_of_schema_1_can_be_shown(tmp_path: Path):
    """It has neither questions nor a data root."""
    built = build_report([ROOT / "tests" / "fixtures" / "run_schema_1"], tmp_path / "out", ONE)
    assert built.overview.items == 96
    assert built.overview.framed == 0


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, clips: Path):
    """Only what is a report is replaced."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    for name in ("thesis.tex", "data", "index.html"):
        out = tmp_path / f"has {name}"
        (out / name).mkdir(parents=True)
        with pytest.raises(UsageError, match="exists and is not a report"):
            build_report([run], out, ONE)
        assert [path.name for path in out.iterdir()] == [name]
    config = replace(ONE, frames=FrameChoice.NONE)
    (tmp_path / "new").mkdir()
    for _ in range(2):
        assert build_report([run], tmp_path / "new", config).overview.items == 12


def test_other_scorers_are_shown_where_they_disagree(tmp_path: Path, clips: Path):
    """A score file of `videor1 rescore` calls item 4 right, the record wrong."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    lines = [
        {
            "id": record.id, "repeat": 0, "task": "vsibench", "outcome": "correct", "value": 1.0,
            "answer": "B", "scorer": "flexible@1", "rule": "letter", "failure": None,
        }
        for record in first_records()[4:7]
    ]  # fmt: skip
    (run / "scores-flexible.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = replace(ONE, frames=FrameChoice.NONE)
    report = build_report([run], tmp_path / "out", config).page.parent
    assert details(report)["vsibench/4"]["answers"][0][0]["others"] == [
        ["flexible", 1.0, "correct", "B", "letter"]
    ]
    index = read_script(report / "data" / "index-0.js")
    assert [index["id"][at] for at in index["runs"][0]["disagree"]] == ["vsibench/4"]


def test_repeats_of_an_item_are_shown_and_count_as_their_mean(tmp_path: Path, clips: Path):
    """Right once in two: the item is worth a half."""
    right, wrong = record_of(0, "A"), replace(record_of(0, "D"), repeat=1)
    manifest = manifest_of(clips)
    manifest["protocol"]["vsibench"]["repeats"] = 2
    run = write_run(tmp_path / "run", manifest, [right, wrong])
    config = replace(ONE, frames=FrameChoice.NONE)
    report = build_report([run], tmp_path / "out", config).page.parent
    answers = details(report)["vsibench/0"]["answers"][0]
    assert [(one["repeat"], one["answer"]) for one in answers] == [(0, "A"), (1, "D")]
    assert read_script(report / "data" / "index-0.js")["runs"][0]["value"][0] == 0.5


def test_a_scorer_that_is_not_installed_is_said(tmp_path: Path, clips: Path):
    """The score is that of summary.json, the difference a plain mean."""
    runs = []
    for name in ("one", "two"):
        manifest = manifest_of(clips, model=name)
        manifest["protocol"]["vsibench"]["scorer"] = "homemade@1"
        runs.append(write_run(tmp_path / name, manifest, first_records()))
    config = replace(ONE, frames=FrameChoice.NONE)
    text = build_report(runs, tmp_path / "out", config).page.read_text()
    assert "scorer homemade@1 is not installed here" in text
    assert "the difference is the plain mean over items" in text


@pytest.mark.parametrize("words", [["nowhere"], ["run", "run"]])
def test_what_is_no_run_or_named_twice_is_refused(
    tmp_path: Path, clips: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    """Exit code 2 with the folder's name."""
    write_run(tmp_path / "run", manifest_of(clips), first_records())
    folders = [str(tmp_path / word) for word in words]
    assert main(["report", *folders, "-o", str(tmp_path / "out")]) == 2
    assert folders[0] in capsys.readouterr().err


def test_the_command_says_what_it_made_and_what_is_lacking(
    tmp_path: Path, clips: Path, capsys: pytest.CaptureFixture[str]
):
    """The last line names the page to open."""
    run = write_run(tmp_path / "run", manifest_of(tmp_path / "gone"), first_records())
    out = tmp_path / "out"
    assert main(["report", str(run), "-o", str(out), "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert "4 videos have no frames: the file is not there; name the data root" in said.out
    assert said.err.splitlines()[-1] == (
        f"exit 0 (ok): 1 run, 12 items, frames of 0 videos (0.0 MB): open {out}/index.html"
    )
    assert main(["report", str(run), "-o", str(out), "--data", str(clips), "--workers", "1"]) == 0


def test_a_record_is_read_again_from_its_place(tmp_path: Path):
    """Also where a failed one was written before it, and only whole lines count."""
    failed = first_records()[-1]
    answered = replace(second_records()[-1], text="found")
    run = write_run(tmp_path / "run", manifest_of(None), [failed, *first_records()[:2], answered])
    places = {record.key: line for line, record in walk_records(run)}
    with RecordFiles() as files:
        assert files.read(places[answered.key]).text == "found"
        assert files.read(places["vsibench/1", 0]) == first_records()[1]
    (run / "records-0.jsonl").write_text("x" * 3000)
    with RecordFiles() as files, pytest.raises(DatasetError):
        files.read(places["vsibench/1", 0])


def test_the_texts_of_answers_are_not_held_in_memory(tmp_path: Path):
    """Answers of 24 MB are written by a build that holds a few of them at a time."""
    records = [
        replace(one, text=f"{at} {'word ' * 40_000}") for at, one in enumerate(first_records())
    ] * 10  # fmt: skip
    numbered = [replace(one, id=f"vsibench/{at}") for at, one in enumerate(records)]
    run = write_run(tmp_path / "run", manifest_of(None), numbered, samples=[])
    del records, numbered
    tracemalloc.start()
    report = build_report([run], tmp_path / "out", ONE).page.parent
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    written = sum(path.stat().st_size for path in (report / "data").iterdir())
    assert written > 20_000_000
    assert most < 18_000_000


@pytest.mark.parametrize("runs", [[], [0], [0, 1], range(9)])
def test_runs_without_records_make_a_page(tmp_path: Path, runs: Sequence[int]):
    """An empty run beside others, or alone; nothing is compared with it."""
    folders = [write_run(tmp_path / "empty", manifest_of(None, model="empty"), [])]
    for at in runs:
        manifest = manifest_of(None, model=f"model {at}")
        folders.append(write_run(tmp_path / f"run-{at}", manifest, first_records()))
    overview = build_report(folders, tmp_path / "out", ONE).overview
    assert overview.items == VIDEOS * PER_VIDEO
    assert [one.tasks for one in overview.comparisons] == [()] * len(runs)
    [section] = overview.tasks
    assert section.asked[0][1].missing == VIDEOS * PER_VIDEO


def test_more_options_than_letters_are_shown(tmp_path: Path):
    """No benchmark asks so, but a file may hold it."""
    samples = [replace(sample_of(0), options=tuple(f"option {n}" for n in range(30)))]
    run = write_run(tmp_path / "run", manifest_of(None), first_records()[:1], samples)
    item = details(build_report([run], tmp_path / "out", ONE).page.parent)["vsibench/0"]
    assert len(item["options"]) == 30
    assert item["gold_option"] is None
