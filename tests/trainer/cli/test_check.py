"""``videor1 train check``: every fault of every row, a right row beside it, lengths, a page."""

import pytest

from harness.cli.exits import Exit
from tests.trainer.commands import run, write_checkpoint
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from trainer.cli.train import TrainCommand


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Check some rows; returns the verdict."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_media(tmp_path / "media")
    (tmp_path / "media/clips/broken.mp4").write_bytes(b"no video")

    def go(rows, *flags):
        write_rows(tmp_path / "rows.jsonl", rows)
        common = ["check", "rows.jsonl", "--media-root", "media", "--workers", "1"]
        return run(TrainCommand(), *common, *flags)

    return go


FAULTY = [
    make_row(0),
    make_row(0, options=["A. x", "C. y"], solution="<answer>Z</answer>", path="clips/gone.mp4"),
    make_row(2, problem_type="numerical", problem=None, solution="three", path="clips/broken.mp4"),
    make_row(3, problem_type="essay", process=7, path=None),
    make_row(4, problem_type="regression", solution="<answer>0</answer>", data_type="sound"),
]
FAULTS = [
    ("row 1", "option letters", "expected the letters A, B, got A., C."),
    ("row 1", "answer does not fit its type", "one of the letters A, B, got 'Z'"),
    ("row 1", "duplicate id", "'rows/0' is the id of rows.jsonl, row 0 too"),
    ("row 1", "media missing", "media/clips/gone.mp4 is in none of"),
    ("row 2", "malformed field", "'problem': expected a string"),
    ("row 2", "answer does not fit its type", "'<answer>...</answer>', got 'three'"),
    ("row 2", "media unreadable", "broken.mp4"),
    ("row 3", "malformed field", "'problem_type': expected one of"),
    ("row 3", "malformed field", "'process': expected a string"),
    ("row 3", "malformed field", "'path': expected a file"),
    ("row 4", "malformed field", "'data_type': expected 'video' or 'image'"),
]


def _printed_faults(text):
    fault = ""
    for line in text.splitlines():
        if line.startswith("  rows.jsonl, "):
            where, _, message = line.strip().removeprefix("rows.jsonl, ").partition(": ")
            yield where, fault, message
        elif line.endswith(" rows"):
            fault = line.partition(":")[0]


def test_every_fault_of_every_row_is_told(check, capsys):
    """Also several of one row, whichever comes first; the exit line counts rows, not faults."""
    result = check(FAULTY)
    assert result.code is Exit.USAGE
    assert result.reason.startswith("4 of 5 rows are bad (")
    assert "docs/rows.md" in result.reason
    printed = list(_printed_faults(capsys.readouterr().out))
    for where, fault, message in FAULTS:
        found = [text for place, name, text in printed if (place, name) == (where, fault)]
        assert any(message in text for text in found), (where, fault, message, found)


def test_only_the_first_rows_of_a_fault_are_listed(check, capsys):
    """A file with one mistake in every row does not scroll away."""
    check([make_row(number, solution="B") for number in range(9)])
    printed = capsys.readouterr().out
    assert "answer does not fit its type: 9 rows" in printed
    assert len(list(_printed_faults(printed))) == 5
    assert "and 4 more" in printed


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("multiple choice", '"options": ["A. left", "B. right"]'),
        ("numerical", "<answer>3</answer>"),
        ("regression", "<answer>7.2</answer>"),
        ("temporal grounding", "<answer>1.0 to 2.5</answer>"),
        ("OCR", "<answer>STOP</answer>"),
    ],
)
def test_a_right_row_of_the_same_type_is_shown(check, capsys, kind, part):
    """Someone who sees what is expected need not look it up."""
    check([make_row(0, problem_type=kind, solution="no tags")])
    printed = capsys.readouterr().out
    assert f"a right row, {kind}" in printed
    assert part in printed


def test_right_rows_end_with_0_and_their_lengths(check, capsys):
    """Words, seconds, frames, and how often each letter is right."""
    rows = [make_row(0), make_row(1, solution="<answer>A</answer>"), make_row(2)]
    result = check([*rows, make_row(3, path=IMAGE, data_type="image")], "--for", "sft")
    assert (result.code, result.reason) == (Exit.OK, "4 rows are right")
    printed = capsys.readouterr().out
    assert "right letters of 2 options: A 1, B 3" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["video,", "seconds", "3", "4", "4", "4", "4"] in lines
    assert ["question,", "words", "4", "2", "2", "2", "2"] in lines


def test_sft_needs_rationales_and_reinforcement_learning_a_reward(check, capsys):
    """Each is told what the other would lack."""
    row = make_row(0, problem_type="regression", solution="<answer>0</answer>", process=None)
    assert "1 gold answer earns no reward" in check([row]).reason
    assert "1 empty rationale" in check([row], "--for", "sft").reason
    assert check([make_row(0, process=None)]).code is Exit.OK
    assert "rationales: 0 of 1 rows; SFT needs one per row" in capsys.readouterr().out


def test_settings_of_data_and_frames_are_those_of_recipes(check):
    """An unknown one is refused with the valid ones."""
    rows = [make_row(0), make_row(1, path="clips/broken.mp4")]
    assert check(rows, "--set", "data.check=exists").code is Exit.OK
    assert check(rows, "--set", "data.limit=1").code is Exit.OK
    refused = check(rows, "--set", "frames.most=3")
    assert refused.code is Exit.USAGE
    assert "max_frames" in refused.reason


def test_the_frames_are_those_of_a_training(check, capsys):
    """Two frames per second of four seconds are 8; at most 4 are 4."""
    check([make_row(0)], "--set", "frames.max_frames=4")
    assert ["video,", "frames", "1", "4", "4", "4", "4"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


def test_special_tokens_of_the_checkpoint_are_faults(check, tmp_path):
    """Without transformers, too: they are read from the tokenizer's files."""
    folder = write_checkpoint(tmp_path / "checkpoint")
    text = '{"added_tokens": [{"content": "<|im_end|>", "special": true}]}'
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(text)
    rows = [make_row(0), make_row(1, problem="What <|im_end|> moves?")]
    assert check(rows).code is Exit.OK
    assert "1 text that the tokenizer" in check(rows, "--checkpoint", str(folder)).reason


def test_without_a_media_root_paths_are_relative_to_the_file(tmp_path):
    """That is where most people have them."""
    write_media(tmp_path / "set")
    path = write_rows(tmp_path / "set" / "rows.jsonl", [make_row(0)])
    assert run(TrainCommand(), "check", path, "--workers", "1").code is Exit.OK


def test_a_folder_with_other_files_is_not_overwritten(check, tmp_path):
    """A page only takes the place of a page."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("dear diary")
    assert "exists and is not a report" in check([make_row(0)], "--html", "mine").reason
    assert check([make_row(0)], "--html", "page").code is Exit.OK
    assert check([make_row(0)], "--html", "page").code is Exit.OK
