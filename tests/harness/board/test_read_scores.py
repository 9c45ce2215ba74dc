"""Published scores and score files are checked when they are read."""

import json
import shutil

import pytest

from harness.board.published import COLUMNS, read_published
from harness.board.score_files import read_score_lines
from harness.cli import main
from harness.errors import DatasetError, UsageError
from tests.paths import FIXTURES, SHARED

LINE = {"id": "a/1", "task": "a", "outcome": "correct", "value": 1.0, "answer": None,
        "scorer": "official@1", "failure": None}  # fmt: skip
CASES = SHARED / "cases" / "faults" / "published"


def _published(folder, *lines):
    path = folder / "p.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n")
    return path


@pytest.mark.parametrize("score", ["nan", "inf", "-5", "100.1", "1e300", "", "34%"])
def test_a_published_score_is_0_to_100(tmp_path, score):
    """NaN and infinity would end in a board's JSON."""
    with pytest.raises(DatasetError, match=r"p\.csv, line 2: field 'score': .* from 0 to 100"):
        read_published(_published(tmp_path, f"m,vsibench,{score},16,,s,"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["m" * 200_000 + ",vsibench,1,16,,s,"], "field larger than field limit"),
        (['m,"vsibench,1,16,,s,'], "unexpected end of data"),
        (["m,vsibench,1,16,,s,"] * 2, "'m' on 'vsibench' is there twice"),
    ],
)
def test_a_malformed_table_of_published_scores_is_named(tmp_path, lines, message):
    """The file is named."""
    with pytest.raises(DatasetError, match=rf"p\.csv.*{message}"):
        read_published(_published(tmp_path, *lines))


def test_published_scores_are_read_from_a_file_only(tmp_path):
    """A folder is told what is expected."""
    with pytest.raises(UsageError, match="is a folder, expected a file"):
        read_published(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": -1.0}, "'value': expected 0 to 1, got -1"),
        ({"value": "1"}, "'value': expected a number, got '1'"),
        ({"outcome": 3}, "'outcome'"),
        ({"id": None}, "'id': expected a text, got None"),
        ({"id": "a/1"}, "'id': 'a/1' is there twice"),
    ],
)
def test_a_wrong_line_of_a_score_file_is_named(tmp_path, change, message):
    """File, line, field, expected and found."""
    path = tmp_path / "scores-x.jsonl"
    path.write_text(
        "".join(json.dumps(one) + "\n" for one in (LINE, {**LINE, "id": "b", **change}))
    )
    with pytest.raises(DatasetError, match=rf"scores-x\.jsonl, line 2: field {message}"):
        read_score_lines(path)


@pytest.mark.parametrize("content", ["[]", '{"tasks": {}}', '{"tasks": [], "protocol": {}}', "{"])
def test_a_wrong_summary_of_a_score_file_ends_with_2(tmp_path, monkeypatch, content):
    """Through the board, which reads every score file of a run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIXTURES / "run_schema_1", "run")
    (tmp_path / "run" / "scores-official.jsonl").write_text("")
    (tmp_path / "run" / "scores-official.json").write_text(content)
    assert main(["board", "run", "--scorers"]) == 2


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", ["nan", "inf", "neg", "huge", "bigfield"])
def test_the_tables_of_the_shared_cases_are_refused(name):
    """They gave tracebacks, or NaN in a board's JSON."""
    with pytest.raises(DatasetError, match=name):
        read_published(CASES / f"{name}.csv")
