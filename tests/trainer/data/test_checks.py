"""The check before training: every fault is found, none is papered over."""

from io import StringIO

import pytest
from rich.console import Console

from harness.errors import DatasetError
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from trainer.cli.observer import print_report
from trainer.config.choices import (
    MediaCheck,
    OnBadRow,
)
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
)
from trainer.data.checks import (
    check_rows,
)
from trainer.data.rows import Fault


@pytest.fixture
def check(tmp_path):
    """Check some rows whose media lie in a fresh folder."""
    write_media(tmp_path)

    def run(rows, *, rationale=True, on_decoded=lambda done, total: None, **changes):
        path = write_rows(tmp_path / "rows.json", rows)
        data = DataSettings(rows=(path,), media_roots=(tmp_path,), decode_workers=1, **changes)
        return check_rows(
            data, FrameSettings(), patch_multiple=28, rationale=rationale, on_decoded=on_decoded
        )

    return run


def _faults(report):
    return [(row.fault, row.where.rpartition("row ")[2]) for row in report.bad]


def test_sound_rows_pass_and_each_file_is_decoded_once(check):
    """Three rows about two files cost two decodings."""
    decoded = []
    rows = [make_row(0), make_row(1), make_row(2, path=IMAGE, data_type="image")]
    report = check(rows, on_decoded=lambda done, total: decoded.append((done, total)))
    assert (len(report.rows), report.bad) == (3, ())
    assert decoded == [(1, 2), (2, 2)]


def test_each_fault_is_found_and_named_once(check, tmp_path):
    """Malformed, duplicate, without rationale, missing, damaged: all in one report."""
    (tmp_path / "clips/broken.mp4").write_bytes(b"no video")
    report = check(
        [
            make_row(0, solution="<answer>Z</answer>"),
            make_row(1),
            make_row(1),
            make_row(2, process="<think> </think>"),
            make_row(3, process=None),
            make_row(4, path="./clips/nowhere.mp4"),
            make_row(5, path="./clips/broken.mp4"),
        ]
    )
    assert [row.sample.id for row in report.rows] == ["rows/1"]
    assert _faults(report) == [
        (Fault.ANSWER, "0"),
        (Fault.DUPLICATE, "2"),
        (Fault.RATIONALE, "3"),
        (Fault.RATIONALE, "4"),
        (Fault.MISSING, "5"),
        (Fault.UNREADABLE, "6"),
    ]
    assert "nowhere.mp4 is in none of data.media_roots" in report.bad[4].message
    assert "broken.mp4" in report.bad[5].message


def test_a_rationale_is_needed_for_supervised_training_only(check):
    """Reinforcement rows have none."""
    assert check([make_row(process=None)], rationale=False).bad == ()


def test_media_need_not_be_decoded_beforehand(check, tmp_path):
    """``check = "exists"`` looks for the files only; then a damaged one passes."""
    (tmp_path / "clips/broken.mp4").write_bytes(b"no video")
    rows = [make_row(0, path="./clips/broken.mp4"), make_row(1, path="./clips/gone.mp4")]
    report = check(rows, check=MediaCheck.EXISTS)
    assert _faults(report) == [(Fault.MISSING, "1")]


def test_only_the_wanted_kinds_are_checked(check):
    """Problem types and media that are not trained on need not be there."""
    rows = [
        make_row(0),
        make_row(1, path="./gone.png", data_type="image"),
        make_row(2, problem_type="OCR", options=[]),
    ]
    report = check(rows, media=("video",), kinds=("multiple choice",))
    assert [row.sample.id for row in report.rows] == ["rows/0"]
    assert report.bad == ()


def test_a_limit_takes_rows_evenly_through_the_file(check):
    """The first ones alone would come from one source."""
    report = check([make_row(number) for number in range(6)], limit=2)
    assert [row.sample.id for row in report.rows] == ["rows/0", "rows/3"]


def test_bad_rows_stop_the_run_or_are_left_out_by_choice(check):
    """They are never replaced."""
    report = check([make_row(0), make_row(1, path="./gone.mp4"), make_row(2, options=["one"])])
    with pytest.raises(DatasetError) as stopped:
        report.require(OnBadRow.STOP)
    assert "2 of 3 rows are bad (1 option letters, 1 media missing)" in str(stopped.value)
    assert "gone.mp4" in str(stopped.value)
    assert [row.sample.id for row in report.require(OnBadRow.EXCLUDE)] == ["rows/0"]


def test_no_row_left_is_an_error_even_when_bad_rows_are_excluded(check):
    """A run over nothing would end at once and look like a success."""
    with pytest.raises(DatasetError, match="no row is left to train on; bad: 1 media missing"):
        check([make_row(path="./gone.mp4")]).require(OnBadRow.EXCLUDE)


def test_the_report_counts_types_and_faults(check):
    """A table of what will be trained on, then what is wrong with the rest."""
    console = Console(width=200, file=StringIO(), record=True)
    report = check([make_row(0), make_row(1, path=IMAGE, data_type="image"), make_row(1)])
    print_report(console, report)
    text = console.export_text()
    assert [line.split() for line in text.splitlines() if line.strip().startswith("multiple")] == [
        ["multiple", "choice", "1", "1", "0"]
    ]
    assert "duplicate id: 1 rows" in text
