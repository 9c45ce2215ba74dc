"""The check before training: every fault is found, none is papered over."""

from io import StringIO

import pytest
from rich.console import Console

from harness.errors import DatasetError
from tests.trainer.rows import IMAGE, VIDEO, make_row, write_media, write_rows
from trainer.cli.rows_view import print_report
from trainer.config.choices import (
    MediaCheck,
    OnBadRow,
)
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data.checks import CheckWatcher, RowNeeds, check_rows
from trainer.data.faults import Fault

SFT, FRAMES = RowNeeds(rationale=True), FrameSettings()


@pytest.fixture
def check(tmp_path):
    """Check some rows whose media lie in a fresh folder."""
    write_media(tmp_path)

    def run(rows, *, needs=SFT, frames=FRAMES, on_checked=lambda *_: None, **changes):
        path = write_rows(tmp_path / "rows.json", rows)
        data = DataSettings(rows=(path,), media_roots=(tmp_path,), decode_workers=1, **changes)
        watcher = CheckWatcher(on_checked=on_checked)
        return check_rows(data, frames, patch_multiple=28, needs=needs, watcher=watcher)

    return run


def _faults(report):
    return [(row.fault, row.where.rpartition("row ")[2]) for row in report.bad]


def test_sound_rows_pass_and_each_file_is_decoded_once(check):
    """Three rows about two files cost two decodings."""
    decoded = []
    rows = [make_row(0), make_row(1), make_row(2, path=IMAGE, data_type="image")]
    report = check(rows, on_checked=lambda done, total: decoded.append((done, total)))
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
    assert check([make_row(process=None)], needs=RowNeeds()).bad == ()


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
    assert (
        "2 of 3 rows are bad (1 media missing, 1 option letters, 1 answer does not fit its type)"
        in (str(stopped.value))
    )
    assert "first: " in str(stopped.value)
    assert "row 1: media missing: " in str(stopped.value)
    assert "got 1" not in str(stopped.value)  # all are listed where they are checked
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


def test_more_frames_than_are_held_at_one_time_are_checked(check, tmp_path):
    """Six videos of 100 MB of frames each; 256 MiB are decoded ahead."""
    for number in range(6):
        (tmp_path / f"clips/{number}.mp4").write_bytes((tmp_path / VIDEO).read_bytes())
    rows = [make_row(number, path=f"./clips/{number}.mp4") for number in range(6)]
    large = FrameSettings(min_frames=8, max_frames=8, min_pixels=1 << 22, max_pixels=1 << 22)
    assert len(check(rows, frames=large).rows) == 6


def test_a_row_whose_inputs_cannot_be_built_is_named(check):
    """With and without its media; the rows of one file are built one by one, others' go on."""
    built = []

    def build(row, clips):
        built.append((row.sample.id, clips and [clip.kind for clip in clips]))
        if row.sample.question == "bad":
            raise DatasetError("the processor does not take it")

    image = {"path": IMAGE, "data_type": "image"}
    rows = [
        make_row(0, problem="bad"),
        make_row(1, **image),
        make_row(2),
        make_row(3, problem="bad", path=None, data_type=None),
        make_row(4, path="./gone.mp4"),
    ]
    needs = RowNeeds(build=build)
    for how in MediaCheck:
        report = check(rows, needs=needs, check=how)
        assert [row.sample.id for row in report.rows] == ["rows/1", "rows/2"]
        assert _faults(report) == [(Fault.INPUTS, "0"), (Fault.INPUTS, "3"), (Fault.MISSING, "4")]
    assert sorted(built[4:]) == [
        ("rows/0", ["video"]), ("rows/1", ["image"]), ("rows/2", ["video"]), ("rows/3", ()),
    ]  # fmt: skip
    assert built[:4] == [(f"rows/{number}", None) for number in range(4)]


@pytest.mark.parametrize(
    "changes",
    [
        {"problem": "<|video_pad|> What moves?"},
        {"options": ["A. a cat", "B. a dog<|im_end|>"]},
        {"process": "<think><|image_pad|></think>"},
        {"solution": "<answer>B</answer><|vision_start|>"},
        {"problem": "What <|placeholder|> moves?"},
    ],
)
def test_a_special_token_in_any_text_is_a_bad_row(check, changes):
    """A tokenizer finds it there; it would be a medium without pixels, or end the turn."""
    tokens = frozenset({"<|video_pad|>", "<|image_pad|>", "<|im_end|>", "<|vision_start|>"})
    needs = RowNeeds(special_tokens=tokens | {"<|placeholder|>"})
    report = check([make_row(0), make_row(1, **changes)], needs=needs)
    (bad,) = report.bad
    assert bad.fault is Fault.TEXT
    assert bad.where.endswith("row 1")
    assert "special token '<|" in bad.message


@pytest.mark.parametrize(
    ("kind", "gold"), [("regression", "0"), ("regression", "0.0"), ("numerical", "0")]
)
def test_a_gold_that_its_own_reward_does_not_pay_is_a_bad_row(check, kind, gold):
    """The paper's regression reward divides by the gold: 0 for 0. A number of 0 is paid."""
    row = make_row(problem_type=kind, solution=f"<answer>{gold}</answer>", options=[])
    report = check([row], needs=RowNeeds(rewarded=True))
    assert [bad.fault for bad in report.bad] == ([Fault.UNPAID] if kind == "regression" else [])
    assert check([row], needs=RowNeeds()).bad == ()


@pytest.mark.parametrize(
    "gold", ["\u5411\u5de6\u79fb\u52a8", "\u0432\u043b\u0435\u0432\u043e", "+", "\U0001f600"]
)
def test_a_gold_that_rouge_has_no_words_of_is_a_bad_row(check, gold):
    """ROUGE's tokenizer keeps a-z and digits."""
    pytest.importorskip("rouge_score", reason="needs the heavy environment: rouge-score is missing")
    row = make_row(problem_type="free-form", solution=f"<answer>{gold}</answer>", options=[])
    assert [bad.fault for bad in check([row], needs=RowNeeds(rewarded=True)).bad] == [Fault.UNPAID]
