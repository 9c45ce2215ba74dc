"""Runs whose names and texts attack: `runs`, `show` and `board` show them as text, all of them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from tests.faults.hostile import HOSTILE, RAW, printed
from tests.harness.board.board_runs import write_task_runs
from tests.latex import compile_latex

TEXTS = {
    "terminal": HOSTILE,
    "page": "</td></script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "markup": "[bold red]x[/] [link=file:///etc/passwd]y[/link] :smile: [/nothing]",
    "separators": "a\u2028b\u2029c\x85d\x0be\x0cf\x00g\ufeffh",
    "half": "\ud83d and \udc00 and a pair \ud83d\ude00",
    "long": "A" * 1_000_000,
    "words": "word " * 200_000,
    "latex": r"\input{/etc/passwd} $x^2$ & % # _ ~ \end{document} {",
    "formula": '=HYPERLINK("http://x","y")',
    "table": "| a | b |\n|---|---|\n- [x](http://y) **z** `q`",
}
FORMATS = ("text", "md", "latex", "html", "csv", "json")


def _write(folder: Path, text: str) -> Path:
    """Write a run whose model, questions, answers and categories are a text."""
    run = write_task_runs(folder, "m", {"mvbench": [1.0, 0.0, 1.0], "vsibench": [1.0, 0.0]})
    manifest = json.loads((run / "run.json").read_text())
    manifest |= {"model": text, "named": text, "checkpoint": {"weights": text}}
    (run / "run.json").write_text(json.dumps(manifest))
    lines = [json.loads(line) for line in (run / "records-0.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {
            "text": text, "reasoning": text, "answer": text, "gold": text, "rule": text,
            "category": text.replace("/", "") if line["task"] == "mvbench" else line["category"],
            "media_notes": [text], "frame_indices": [[0, 3]], "timestamps": [[0.0, 0.5]],
        }  # fmt: skip
    lines[0] |= {
        "outcome": "failed", "value": None,
        "failure": {"stage": text, "error": text, "message": text},
    }  # fmt: skip
    samples = [
        {
            "id": line["id"], "task": line["task"], "question": text, "options": [text, text],
            "gold": text, "kind": "multiple choice", "category": line["category"],
            "cluster": line["cluster"], "prompt": text, "system": text, "prefill": text,
            "before": [text],
            "media": [{"path": f"a{text[:50]}".replace("..", ""), "kind": "video"}],
        }
        for line in lines
    ]  # fmt: skip
    for name, rows in (("records-0", lines), ("samples", samples)):
        (run / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


@pytest.fixture(params=TEXTS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One run per kind of text."""
    return _write(tmp_path / "runs" / "r", TEXTS[request.param])


def test_a_hostile_run_is_listed_and_shown_as_text(run, capsys, monkeypatch) -> None:
    """On terminals of any width and for programs; nothing raw, nothing lost."""
    for width in ("40", "200"):
        monkeypatch.setenv("COLUMNS", width)
        printed(capsys, "runs", run.parent)
        assert "mvbench" in printed(capsys, "show", run)
    monkeypatch.delenv("COLUMNS")
    record = read_records(run)[1]
    shown = printed(capsys, "show", run, record.id, "--prompt")
    assert "question" in shown
    assert shown.count("\n") < 500
    for words in (["runs", run.parent], ["show", run], ["show", run, record.id]):
        content = json.loads(printed(capsys, *words, "--format", "json"))
        assert content
    assert content["records"][0]["text"] == record.text


@pytest.mark.parametrize("layout", FORMATS)
def test_a_hostile_run_is_on_a_board_as_text(run, capsys, tmp_path, layout) -> None:
    """In every format, with breakdowns and published rows."""
    flags = ["--by", "--format", layout, "--published", "Video-R1-7B@32"]
    shown = printed(capsys, "board", run, *flags)
    if layout == "html":
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert shown.count("<script>") == 1
    if layout == "csv":
        before = csv.field_size_limit(10_000_000)
        lines = list(csv.DictReader(io.StringIO(shown)))
        csv.field_size_limit(before)
        assert all(None not in line and None not in line.values() for line in lines)
        assert not any((line["model"] or "").startswith(("=", "+", "-", "@")) for line in lines)
    if layout == "json":
        assert json.loads(shown)["below"]
    if layout == "md":
        rows = [line for line in shown.splitlines() if line.startswith("|")]
        assert len(rows) >= 4


def test_a_hostile_run_compiles_in_latex(run, capsys, tmp_path) -> None:
    """No text of a run is a command of the page."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    if len(json.loads((run / "run.json").read_text())["model"]) > 10_000:
        pytest.skip("a name of a page's length fits no table")
    out = tmp_path / "board.tex"
    printed(capsys, "board", run, "--format", "latex", "-o", out)
    text = out.read_text().encode("ascii", "ignore").decode()
    out.write_text(text)
    compile_latex(tmp_path, wide_names=True)


def test_hostile_names_of_rows_folders_and_published_models(capsys, tmp_path) -> None:
    """``--name``, a folder's name, a published file."""
    name = "out[red]\x1b[2J\x9b31m\u202e[bold]"
    run = _write(tmp_path / name, "m")
    other = _write(tmp_path / "other", "m")
    published = tmp_path / "p.csv"
    published.write_text(
        "model,task,score,frames,setting,source,note\n"
        f'"{HOSTILE.replace(chr(34), "")}",mvbench,50,"\x1b[31m","[red]","<script>",x\n'
    )
    for layout in FORMATS:
        flags = ["--format", layout, "--published", published, "--name", f"other={HOSTILE}"]
        assert not RAW.search(printed(capsys, "board", run, other, *flags))
    printed(capsys, "board", run, tmp_path / f"{name}gone")
    printed(capsys, "board", run, "--name", f"{HOSTILE}=x")
    printed(capsys, "board", run, "--published", HOSTILE)
    printed(capsys, "runs", tmp_path)
    printed(capsys, "show", run, HOSTILE)
    (tmp_path / f"{name}train").mkdir()
    (tmp_path / f"{name}train" / "train.json").write_text("{}")
    printed(capsys, "board", tmp_path)
    printed(capsys, "show", tmp_path / f"{name}train")


def test_a_chart_of_hostile_names_is_drawn(run, tmp_path, capsys) -> None:
    """What looks like a formula of the drawing program is text."""
    pytest.importorskip("matplotlib")
    out = tmp_path / "c.svg"
    assert main(["board", str(run), "--chart", str(out)]) == 0
    capsys.readouterr()
    assert "<script" not in out.read_text()
