"""Leaderboards of tiny runs: what is compared, what stands below the rule, and every format."""

import csv
import io
import json
import os
import re
import shutil
from dataclasses import replace

import pytest

from harness.board.entries import read_entries
from harness.board.leaderboard import build_board, read_board
from harness.board.published import PUBLISHED, read_published
from harness.board.table import make_tables
from harness.cli import main
from harness.run.store import (
    RunWriter,
    write_parquet,
)
from harness.schema import Failure, Outcome
from harness.text.shown import for_latex as latex
from harness.text.shown import for_markdown as markdown
from tests.latex import compile_latex
from tests.toys import record

ITEMS = 40
PROTOCOL = {
    "hash": "aaaaaaaaaaaa",
    "scorer": "official@1",
    "frames": {"max_frames": 16, "order": "ordered"},
}


def _write(folder, name, right, **manifest):
    """Write an mvbench run whose first `right` of 40 items, each its own video, are right."""
    records = [
        replace(
            record(number, *((1.0, Outcome.CORRECT) if number < right else (0.0, Outcome.WRONG))),
            id=f"mvbench/state_change/{number}",
            task="mvbench",
            cluster=f"video {number}",
            category="state_change" if number % 2 else "action_count",
        )
        for number in range(ITEMS)
    ]
    fields = {
        "model": name,
        "checkpoint": {"weights": name},
        "protocol_hash": "cccccccccccc",
        "created": "2026-01-01T00:00:00+00:00",
        "tasks": ["mvbench"],
        "protocol": {"mvbench": PROTOCOL},
        "data": {"mvbench": {"items": ITEMS, "sha256": "d"}},
    }
    _store(folder, {**fields, **manifest}, records)
    return folder


def _store(folder, manifest, records):
    with RunWriter(folder, manifest) as run:
        for each in records:
            run.append(each)
        write_parquet(folder, run.records.values())


def _protocol(**changes):
    return {"mvbench": {**PROTOCOL, "hash": "bbbbbbbbbbbb", **changes}}


@pytest.fixture
def runs(tmp_path):
    """A clear winner, two alike, and one under another protocol."""
    return [
        _write(tmp_path / "good", "good", 36),
        _write(tmp_path / "fair", "fair", 12),
        _write(tmp_path / "same", "same", 11),
        _write(
            tmp_path / "wide",
            "a_b 50% | <i>",
            40,
            protocol=_protocol(frames={"max_frames": 32, "order": "ordered"}),
        ),
    ]


def _board(runs):
    return build_board(read_entries(runs))


def _printed(capsys, runs, *flags):
    assert main(["board", *map(str, runs), *flags]) == 0
    return capsys.readouterr().out


def test_scores_ranks_and_the_mark(runs):
    """36 of 40 is 90 % and certainly best; 12 and 11 of 40 share the ranks 2 and 3."""
    board = _board(runs)
    cells = [row.cells["mvbench"] for row in board.ranked if row.block == 1]
    assert [cell.score for cell in cells] == pytest.approx([90.0, 30.0, 27.5])
    assert [str(cell.rank) for cell in cells] == ["1", "2-3", "2-3"]
    assert [cell.best for cell in cells] == [True, False, False]


def test_another_protocol_has_a_block_of_its_own_and_the_field_is_named(runs):
    """The highest score of all is not compared with the others, and the note says what differs."""
    board = _board(runs)
    [row] = [row for row in board.rows if row.block == 2]
    assert row.label == "a_b 50% | <i>"
    assert not row.cells["mvbench"].best
    assert str(row.cells["mvbench"].rank) == "1"
    assert board.differences == {2: ("mvbench: frames.max_frames: 32 != 16",)}
    assert board.below == ()


def test_the_largest_block_comes_first_and_of_equal_ones_the_first_named(runs):
    """One against one: the run named first is the board's first block."""
    labels = [row.label for row in _board([runs[3], runs[0]]).ranked]
    assert labels == ["a_b 50% | <i>", "good"]
    assert [row.block for row in _board([runs[3], *runs[:2]]).rows] == [1, 1, 2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": {"mvbench": {"items": 40, "sha256": "e"}}}, "data.sha256: 'e' != 'd'"),
        ({"tasks": ["mvbench:action_count"]}, "selection: 'mvbench:action_count' != 'mvbench'"),
        ({"protocol": _protocol(scorer="ours@1")}, "scorer ours@1 is not installed here"),
    ],
    ids=["data", "selection", "scorer"],
)
def test_other_questions_and_unknown_scorers_are_not_ranked(runs, tmp_path, change, reason):
    """Other data, another part of the benchmark, a rule nobody here knows."""
    other = _write(tmp_path / "other", "other", 30, **change)
    [row] = _board([*runs[:2], other]).below
    assert reason in " ".join(row.reasons)


def test_missing_and_failed_items_keep_a_run_below_the_rule(runs):
    """One line lost and one item failed: both are said, the score is of the rest."""
    file = runs[2] / "records-0.jsonl"
    *lines, last = file.read_text().splitlines()
    failed = json.loads(last) | {"outcome": "failed", "value": None}
    failed["failure"] = {"stage": "media", "error": "MediaError", "message": "torn"}
    file.write_text("\n".join([*lines[1:], json.dumps(failed)]) + "\n")
    _age(runs[2] / "records.parquet")
    [row] = _board(runs[:3]).below
    assert row.reasons == (
        "mvbench: 1 of 40 items have no record",
        "mvbench: 1 of 40 items failed",
    )
    assert row.cells["mvbench"].score == pytest.approx(100 * 10 / 38)


def _age(path):
    """Make a file an hour older than the records beside it."""
    written = path.stat().st_mtime - 3600
    os.utime(path, (written, written))


def test_a_run_without_records_has_no_score(runs):
    """Nothing answered yet: no number, no rank, and the board is still made."""
    (runs[2] / "records.parquet").unlink()
    (runs[2] / "records-0.jsonl").write_text("")
    [row] = _board(runs[:3]).below
    assert row.cells["mvbench"].score is None


def test_records_alone_give_the_same_board(runs):
    """Without the Parquet table the board is made from the records."""
    with_tables = _board(runs)
    for run in runs:
        (run / "records.parquet").unlink()
    assert _board(runs) == with_tables


def test_a_shuffled_run_is_named_and_stands_apart(runs, tmp_path):
    """Variants are other protocols; the row says which."""
    frames = {"max_frames": 16, "order": "shuffled"}
    other = _write(tmp_path / "s", "good", 20, protocol=_protocol(frames=frames))
    board = _board([*runs[:2], other])
    assert [row.label for row in board.rows if row.block == 2] == ["good (shuffled)"]
    assert board.differences[2] == ("mvbench: frames.order: 'shuffled' != 'ordered'",)


def test_runs_of_one_name_are_told_apart_by_folder(runs, tmp_path):
    """Two runs of the model ``good`` show their folders."""
    labels = {row.label for row in _board([runs[0], _write(tmp_path / "two", "good", 5)]).ranked}
    assert labels == {"good [good]", "good [two]"}


def test_changed_questions_under_the_same_setting_are_refused(runs, capsys):
    """Two runs that claim the same setting and hold other ids cannot both be right."""
    file = runs[1] / "records-0.jsonl"
    file.write_text(file.read_text().replace("state_change/7", "state_change/77"))
    (runs[1] / "records.parquet").unlink()
    assert main(["board", *map(str, runs)]) == 2
    assert "different questions" in capsys.readouterr().err


def test_a_run_named_twice_is_refused(runs, capsys):
    """It would tie with itself."""
    assert main(["board", str(runs[0]), str(runs[0])]) == 2
    assert "named twice" in capsys.readouterr().err


def test_a_damaged_table_is_a_usage_error(runs, capsys):
    """The message names the file and what to do."""
    (runs[0] / "records.parquet").write_bytes(b"PAR1")
    assert main(["board", str(runs[0])]) == 2
    assert "records.parquet: cannot be read" in capsys.readouterr().err


def test_text_has_the_table_and_the_reason(runs, capsys):
    """The table, the rule and the reason are on a plain page; notes are folded."""
    page = _printed(capsys, runs)
    assert max(map(len, page.splitlines())) <= 100
    assert "✓ (1)" in page
    assert "frames.max_frames: 32 != 16" in " ".join(page.split())


def test_markdown_is_a_table_with_escaped_cells(runs, capsys):
    """Every line of a table has as many cells as its heading; a pipe in a name does not count."""
    page = _printed(capsys, runs, "--format", "md")
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert r"a\_b 50% \| &lt;i&gt;" in page
    assert "**90.0 ±" in page
    assert markdown("a|b *c*\n[d]") == r"a\|b \*c\* \[d\]"


def test_latex_is_escaped_booktabs(runs, capsys):
    """Rules of booktabs, no raw special character of a model name."""
    page = _printed(capsys, runs, "--format", "latex")
    assert page.count(r"\midrule") == 2  # before each block
    assert r"a\_b 50\% \ensuremath{|} \ensuremath{<}i\ensuremath{>}" in page
    assert latex(r"\a^~{}$#&") == (
        r"\textbackslash{}a\textasciicircum{}\textasciitilde{}\{\}\$\#\&"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(runs, tmp_path):
    """With article and the packages that the first line names; published rows included."""
    flags = ["--format", "latex", "--by", "--published", "-o", str(tmp_path / "board.tex")]
    assert main(["board", *map(str, runs), *flags]) == 0
    compile_latex(tmp_path)


def test_csv_has_one_line_per_run_and_task(runs, capsys):
    """Numbers are plain, the block says what is compared."""
    lines = list(csv.DictReader(io.StringIO(_printed(capsys, runs, "--format", "csv"))))
    assert [line["block"] for line in lines] == ["1", "1", "1", "2"]
    assert float(lines[0]["score"]) == pytest.approx(90.0)
    assert (lines[0]["rank_best"], lines[0]["rank_worst"], lines[0]["items"]) == ("1", "1", "40")


def test_json_has_everything(runs, capsys):
    """The whole board, reasons included."""
    board = json.loads(_printed(capsys, runs, "--format", "json"))
    assert board["ranked"][1]["cells"]["mvbench"]["rank"] == {"best": 2, "worst": 3}
    assert board["differences"]["2"][0].endswith("32 != 16")


def test_html_is_self_contained_and_escaped(runs, capsys):
    """No address, no file outside; names are text; cells carry what they sort by."""
    page = _printed(capsys, runs, "--format", "html")
    assert not re.search(r"https?://|\bsrc=|<link", page)
    assert "a_b 50% | &lt;i&gt;" in page
    assert 'data-sort="90.0' in page
    assert page.count('<tbody class="block">') == 2


def test_breakdowns_come_from_the_summary(runs, capsys):
    """``--by`` adds categories down and runs across, with 95 % intervals as everywhere."""
    line = {"score": 87.5, "se": 1.25, "n": 20}
    for number, more in enumerate(({"ci95_low": 85.0, "ci95_high": 90.0}, {})):
        summary = {"tasks": {"mvbench": {"breakdown": {"state_change": line | more}}}}
        (runs[number] / "summary.json").write_text(json.dumps(summary))
    page = _printed(capsys, runs, "--by", "--format", "md")
    assert r"| state\_change | 87.5 ± 2.5 | 87.5 (SE 1.2) | - | - |" in page


def test_published_figures_are_marked_and_never_ranked(runs, capsys):
    """They stand in the same table; those of other tasks are left out."""
    page = _printed(capsys, runs, "--format", "json", "--published")
    assert {figure["task"] for figure in json.loads(page)["published"]} == {"mvbench"}
    assert "published, not" in _printed(capsys, runs, "--published")


def test_every_published_figure_has_a_source_and_is_a_percentage():
    """The paper's headline is among them."""
    figures = read_published(PUBLISHED)
    assert all(figure.source and 0 <= figure.score <= 100 for figure in figures)
    paper = [f for f in figures if (f.model, f.frames) == ("Video-R1-7B", "32")]
    assert {f.task: f.score for f in paper}["vsibench"] == 35.8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,task\n", "first line must be"),
        ("model,task,score,frames,setting,source,note\nm,t,1,,,,\n", "source is empty"),
        ("model,task,score,frames,setting,source,note\nm,t,x,,,s,\n", "'x' is not a number"),
        ("model,task,score,frames,setting,source,note\nm,t,1\n", "expected 7 fields"),
    ],
)
def test_a_bad_published_file_is_a_usage_error(runs, tmp_path, capsys, text, message):
    """The line and what is wrong with it are named."""
    file = tmp_path / "published.csv"
    file.write_text(text)
    assert main(["board", str(runs[0]), "--published", str(file)]) == 2
    assert message in capsys.readouterr().err


def test_a_run_after_published_is_a_usage_error(runs, capsys):
    """``--published`` takes the next word as its file; a folder there is a misplaced run."""
    assert main(["board", str(runs[0]), "--published", str(runs[1])]) == 2
    assert "name runs before --published" in capsys.readouterr().err


def test_eval_results_are_valid_yaml_of_one_complete_run(runs, capsys):
    """Dataset, value and notes of one model; several runs are refused."""
    yaml = pytest.importorskip("yaml")
    [result] = yaml.safe_load(_printed(capsys, runs[:1], "--format", "eval-results"))
    assert result["dataset"] == {"id": "OpenGVLab/MVBench", "task_id": "default"}
    assert result["value"] == 90.0
    assert "16 frames" in result["notes"]
    assert main(["board", *map(str, runs), "--format", "eval-results"]) == 2


def test_an_incomplete_run_is_no_eval_result(tmp_path, capsys):
    """A failed item keeps the number off a model page."""
    run = _write(tmp_path / "run", "m", 30)
    failure = Failure(stage="media", error="MediaError", message="torn")
    failed = replace(record(0, None, Outcome.FAILED), id="mvbench/state_change/0", failure=failure)
    with RunWriter(run, json.loads((run / "run.json").read_text())) as writer:
        writer.append(replace(failed, task="mvbench"))
    _age(run / "records.parquet")
    assert main(["board", str(run), "--format", "eval-results"]) == 2
    assert "1 of 40 items failed" in capsys.readouterr().err


def test_a_board_is_a_data_frame(runs):
    """One row per run in the board's order, with the CSV's numbers; no rank below the line."""
    frame = read_board(runs).to_frame()
    assert list(frame["model"]) == ["good", "fair", "same", "a_b 50% | <i>"]
    assert list(frame["block"]) == [1, 1, 1, 2]
    assert list(frame["mvbench score"]) == pytest.approx([90.0, 30.0, 27.5, 100.0])
    assert list(frame["mvbench rank_worst"][:3]) == [1, 3, 3]
    assert list(frame["mvbench rank_best"]) == [1, 2, 2, 1]
    low, high = frame["mvbench ci95_low"], frame["mvbench ci95_high"]
    assert (low < frame["mvbench score"]).all()
    assert high[0] - 90 == pytest.approx(90 - low[0])


def test_a_task_that_a_run_lacks_is_missing_in_the_frame(runs, tmp_path):
    """Two models with different tasks share a frame; the absent scores are missing values."""
    other = _write(
        tmp_path / "vsi",
        "another",
        30,
        tasks=["vsibench"],
        protocol={"vsibench": PROTOCOL},
        data={"vsibench": {"items": 0, "sha256": "d"}},
    )
    frame = read_board([runs[0], other]).to_frame().set_index("run")
    assert frame["vsibench score"].isna().all()
    assert frame.loc[str(runs[0]), "mvbench score"] == pytest.approx(90.0)


def test_runs_with_other_engine_settings_stay_ranked_and_are_named(tmp_path):
    """Such a board compares number formats; settings that all share are not worth a word."""
    half = {"numeric": {"dtype": "float16"}}
    paths = [_write(tmp_path / "a", "a", 30), _write(tmp_path / "b", "b", 20, **half)]
    board = read_board(paths)
    assert [row.status for row in board.rows] == ["ranked", "ranked"]
    assert [row.note for row in board.rows] == [
        "engine settings that differ between runs: the defaults",
        "engine settings that differ between runs: dtype 'float16'",
    ]
    assert "b: engine settings that differ between runs: dtype 'float16'" in " ".join(
        note for table in make_tables(board, by=False) for note in table.notes
    )
    same = [_write(tmp_path / "c", "c", 30, **half), _write(tmp_path / "d", "d", 20, **half)]
    assert [row.note for row in read_board(same).rows] == ["", ""]


def test_a_run_of_a_part_of_a_benchmark_is_marked_and_cannot_be_published(tmp_path, capsys):
    """Its score is one of other questions than the benchmark's."""
    run = _write(tmp_path / "a", "a", 30, questions={"mvbench": 4000})
    assert main(["board", str(run)]) == 0
    assert "a: mvbench: only 40 of 4,000 questions" in " ".join(capsys.readouterr().out.split())
    assert main(["board", str(run), "--format", "eval-results"]) == 2
    assert "only 40 of 4,000 questions were asked" in capsys.readouterr().err
