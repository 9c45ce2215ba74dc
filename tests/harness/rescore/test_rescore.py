"""``videor1 rescore``: stored texts under another scorer, what changes, and why."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.rescore.reasons import (
    Reason,
    find_reason,
    scores_differ,
)
from harness.run.store import read_records
from harness.schema import Kind, Outcome, Sample
from harness.scoring.rules import (
    binary_score,
    partial_score,
)
from tasks.vsibench import VSIBench

ROWS = [
    {"question_type": "object_counting", "options": None, "ground_truth": "4"},
    {"question_type": "object_counting", "options": None, "ground_truth": "3"},
    {"question_type": "route_planning", "options": ["A. left", "B. right"], "ground_truth": "B"},
    {"question_type": "route_planning", "options": ["A. left", "B. right"], "ground_truth": "A"},
]
TEXTS = ["3", "3 chairs", "B. right", "<answer>A</answer>"]
"""Worth 0.6, 1, 1, 0 by the official rules and 0.5, 0, 0, 1 by Video-R1's."""


def write_data(folder: Path, asked: list[dict] = ROWS) -> Path:
    (folder / "vsibench").mkdir(parents=True)
    rows = [
        {"id": n, "dataset": "scannet", "scene_name": f"s{n}", "question": "?", **row}
        for n, row in enumerate(asked)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "vsibench" / "test.jsonl").write_text(lines)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A stored run of four texts, scored by the official rules."""
    data, texts, folder = write_data(tmp_path / "data"), tmp_path / "texts.jsonl", tmp_path / "run"
    lines = [json.dumps({"id": f"vsibench/{n}", "text": text}) for n, text in enumerate(TEXTS)]
    texts.write_text("\n".join(lines))
    code = main([
        "score", "--task", "vsibench", "--data", str(data), "--responses", str(texts),
        "--out", str(folder),
    ])  # fmt: skip
    assert code == 0
    return folder


def rescore(run: Path, scorer: str, *flags: str) -> int:
    return main(
        ["rescore", str(run), "--data", str(run.parent / "data"), "--scorer", scorer, *flags]
    )


def test_scores_stand_side_by_side_with_the_items_that_differ(run, capsys):
    """Official mean of tasks 65.0, Video-R1's 37.5; all four items differ, each for its reason."""
    capsys.readouterr()
    assert rescore(run, "video-r1") == 0
    shown = capsys.readouterr().out
    line = next(line for line in shown.split("\n") if line.strip().startswith("vsibench  "))
    assert line.split() == ["vsibench", "65.0", "37.5", "-27.5", "4", "4"]
    assert "vsibench: boundary of a threshold: 1 item, 0 higher, 1 lower or left out" in shown
    assert "vsibench: tag: 1 item, 1 higher, 0 lower or left out" in shown
    assert "vsibench/1  '3 chairs', gold '3': 1 (3) -> 0 (no answer)" in shown


def test_the_second_score_file_lies_beside_untouched_records(run):
    """One line per item and the summaries; the records and the first summary stay as they were."""
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert rescore(run, "video-r1") == 0
    lines = [json.loads(x) for x in (run / "scores-video-r1.jsonl").read_text().splitlines()]
    assert [(x["id"], x["value"], x["scorer"]) for x in lines] == [
        ("vsibench/0", 0.5, "video-r1@1"),
        ("vsibench/1", 0.0, "video-r1@1"),
        ("vsibench/2", 0.0, "video-r1@1"),
        ("vsibench/3", 1.0, "video-r1@1"),
    ]
    summary = json.loads((run / "scores-video-r1.json").read_text())
    assert summary["tasks"]["vsibench"]["score"] == pytest.approx(37.5)
    assert summary["protocol"]["vsibench"]["scorer"] == "video-r1@1"
    assert {name: (run / name).read_bytes() for name in before} == before


def test_the_page_lists_every_changed_item_under_its_reason(run):
    """The page is one file, folds by reason and escapes what models write."""
    assert rescore(run, "video-r1") == 0
    page = (run / "changes-video-r1.html").read_text()
    assert page.count("<details>") == 3  # boundary, tag, and trailing text of two items
    assert all(f"vsibench/{number}" in page for number in range(4))
    assert "&lt;answer&gt;A&lt;/answer&gt;" in page


def test_the_same_scorer_changes_nothing(run, capsys):
    """A run rescored with its own scorer has its own scores."""
    assert rescore(run, "official") == 0
    assert "differ" in capsys.readouterr().out
    stored = {r.id: r.value for r in read_records(run)}
    lines = [json.loads(x) for x in (run / "scores-official.jsonl").read_text().splitlines()]
    assert {line["id"]: line["value"] for line in lines} == stored


def test_other_questions_than_the_run_was_made_with_are_refused(run, capsys):
    """Exit 2 when the data folder has changed since: gold answers may be others."""
    path = run.parent / "data" / "vsibench" / "test.jsonl"
    path.write_text(path.read_text().replace('"ground_truth": "4"', '"ground_truth": "5"'))
    assert rescore(run, "video-r1") == 2
    assert "other questions than the run was made with" in capsys.readouterr().err
    assert not (run / "scores-video-r1.jsonl").exists()


def test_a_limited_run_is_rescored_on_its_own_items(tmp_path):
    """``eval --limit`` takes a share of every category; rescoring finds the same items."""
    data = write_data(tmp_path / "data", [ROWS[n] for n in (0, 2, 1, 3)])
    out = tmp_path / "run"
    code = main([
        "eval", "any", "--backend", "fake", "--tasks", "vsibench", "--data", str(data),
        "--variant", "blind", "--limit", "2", "--out", str(out),
    ])  # fmt: skip
    assert code == 0
    assert rescore(out, "official") == 0
    lines = (out / "scores-official.jsonl").read_text().splitlines()
    kept = [record.id for record in read_records(out)]
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(kept)


def test_an_unknown_scorer_is_named_with_the_known_ones(run, capsys):
    """Exit 2 lists what the task has."""
    assert rescore(run, "gpt") == 2
    assert (
        "it has: official, official+answer, video-r1, flexible, lmms-eval"
        in capsys.readouterr().err
    )


def test_an_item_without_text_keeps_its_failure(run):
    """What could not be answered cannot be rescored: it stays failed and makes exit 4."""
    path = run / "records-0.jsonl"
    lines = path.read_text().splitlines()
    failed = json.loads(lines[0]) | {
        "text": None,
        "outcome": "failed",
        "value": None,
        "failure": {"stage": "media", "error": "MediaError", "message": "damaged"},
    }
    path.write_text("\n".join([json.dumps(failed), *lines[1:]]) + "\n")
    assert rescore(run, "video-r1") == 4
    assert rescore(run, "video-r1", "--max-failures", "1") == 0
    first = json.loads((run / "scores-video-r1.jsonl").read_text().splitlines()[0])
    assert (first["outcome"], first["failure"]["message"]) == ("failed", "damaged")


def test_scorers_of_one_run_are_columns_of_a_board(run, capsys):
    """``board --scorers`` shows each score file beside the run's own scores."""
    assert rescore(run, "video-r1") == 0
    capsys.readouterr()
    assert main(["board", str(run), "--scorers", "--format", "csv"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    column = header.split(",").index
    found = {x.split(",")[column("task")]: x.split(",")[column("score")] for x in lines}
    assert float(found["vsibench"]) == pytest.approx(65.0)
    assert float(found["vsibench [video-r1]"]) == pytest.approx(37.5)
    assert main(["board", str(run), "--scorers"]) == 0
    heading, _, _ = capsys.readouterr().out.partition("65.0")
    assert "[video-r1]" in heading


def test_without_lmms_eval_its_scorer_is_a_hint_and_exit_2(run, capsys, monkeypatch):
    """One line says what to install; nothing is scored."""
    from importlib.metadata import PackageNotFoundError

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tasks.lmms.package.version", absent)
    assert rescore(run, "lmms-eval") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "lmms-eval is not installed" in line
    assert "pip install 'videor1[lmms]'" in line


# --- reasons

COUNT = Sample(
    id="t/1", task="t", question="?", answer="10", kind=Kind.REGRESSION, category="", cluster="v"
)
CHOICE = replace(COUNT, kind=Kind.MULTIPLE_CHOICE, answer="A", options=("left", "to the right"))
NOTHING, RIGHT = binary_score(None, None), binary_score(True, "A")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Reason.EMPTY),
        (" \n", Reason.EMPTY),
        ("<think>x</think>A", Reason.TAG),
        ("</s>A", Reason.TAG),
        (" A", Reason.SPACE),
        ("a", Reason.CASE),
        ("A", Reason.BARE),
        ("(A)", Reason.MARKS),
        ("**A**", Reason.MARKS),
        (r"\boxed{A}", Reason.MARKS),
        ("A. left", Reason.TRAILING),
        ("A\nBecause", Reason.TRAILING),
        ("The answer is A", Reason.LEADING),
        ("to the RIGHT", Reason.OPTION_TEXT),
        ("Table", Reason.INSIDE_WORDS),
        ("~", Reason.OTHER),
    ],
)
def test_one_rule_reads_a_letter_and_the_other_none(text, expected):
    """The text around the letter says why."""
    assert find_reason(CHOICE, text, RIGHT, NOTHING) is expected
    assert find_reason(CHOICE, text, NOTHING, RIGHT) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10\n", Reason.SPACE),
        ("1,0", Reason.NOTATION),
        ("1e1", Reason.NOTATION),
        ("10 m", Reason.TRAILING),
        ("**10**", Reason.MARKS),
        ("about 10", Reason.LEADING),
        ("ten", Reason.IN_WORDS),
        ("½", Reason.NOTATION),
    ],
)
def test_one_rule_reads_a_number_and_the_other_none(text, expected):
    """The notation or the text around the number says why."""
    assert find_reason(COUNT, text, partial_score(1.0, "10"), NOTHING) is expected


def test_two_answers_that_were_read_are_compared():
    """Equal numbers are a boundary, unequal ones another reading; letters likewise."""
    assert (
        find_reason(COUNT, "9", partial_score(0.9, "9"), partial_score(0.8, "9.0"))
        is Reason.BOUNDARY
    )
    assert (
        find_reason(COUNT, "9 8", partial_score(0.9, "9"), partial_score(0.8, "8"))
        is Reason.OTHER_NUMBER
    )
    assert find_reason(CHOICE, "A B", RIGHT, binary_score(False, "B")) is Reason.OTHER_LETTER
    free = replace(COUNT, kind=Kind.FREE_FORM)
    assert (
        find_reason(free, "x", binary_score(True, "x"), binary_score(False, "X"))
        is Reason.COMPARISON
    )
    assert (
        find_reason(free, "x y", binary_score(True, "x"), binary_score(False, "y"))
        is Reason.OTHER_TEXT
    )


def test_credit_without_an_answer_and_dropped_items_have_classes_of_their_own():
    """MVBench's official rule credits a lone bracket; a dropped item has no value at all."""
    credited = replace(binary_score(True, "("), answer=None)
    assert find_reason(CHOICE, "(", credited, NOTHING) is Reason.PART
    assert find_reason(CHOICE, "x", replace(NOTHING, value=None), NOTHING) is Reason.UNSCORED


def test_scores_differ_by_value_only():
    """Wrong and not found are both worth nothing; dropped is not nothing."""
    assert not scores_differ(binary_score(False, "B"), NOTHING)
    assert scores_differ(replace(NOTHING, value=None), NOTHING)
    assert NOTHING.outcome is Outcome.NO_ANSWER


def test_every_benchmark_offers_the_scorer_without_importing_the_package():
    """`lmms-eval` is listed whether or not it is installed."""
    assert VSIBench().scorers["lmms-eval"].tag == "lmms-eval@1"
