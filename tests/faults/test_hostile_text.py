"""Every command on runs whose ids, names, answers and messages are hostile, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.cli import main
from harness.run.samples_file import SAMPLES, StoredSample
from harness.run.store import read_records
from harness.schema import Failure, Kind, Outcome, Record
from tasks.demo.layouts import write_vsibench
from tests.faults.hostile import HOSTILE, RAW, SMALL, printed
from tests.runs import make_records, write_run

TASK = "mvbench"


def manifest(model: str, items: int) -> dict[str, Any]:
    """Return the ``run.json`` of a hostile run."""
    protocol = {
        "hash": "aaaaaaaaaaaa", "scorer": "official@1", "suite": HOSTILE, "task": "mvbench@1",
        "frames": {"max_frames": 16, "order": "ordered", "rule": "segments"},
        "sampling": {"temperature": 0.0},
    }  # fmt: skip
    return {
        "schema": 1, "created": "2026-11-26T00:00:00+00:00", "model": model, "backend": HOSTILE,
        "checkpoint": {"name": model, "kind": "fake"}, "tasks": [TASK], "limit": None,
        "protocol": {TASK: protocol}, "protocol_hash": "aaaaaaaaaaaa",
        "data": {TASK: {"items": items, "sha256": "f00d"}}, "argv": [HOSTILE],
    }  # fmt: skip


def hostile_run(folder: Path, start: str, values: list[float], failed: int = 0) -> Path:
    """Write a run in which every text begins with `start` and goes on with `HOSTILE`."""
    text = start + HOSTILE
    records = [_make_hostile(one, text) for one in make_records({TASK: values})]
    records[:failed] = [_fail(one, text) for one in records[:failed]]
    run = write_run(folder, manifest(text, len(values)), records)
    samples = [json.dumps(asdict(_question(record, text))) for record in records]
    (run / SAMPLES).write_text("\n".join(samples) + "\n")
    breakdown = {text: {"score": 50.0, "se": 1.0, "n": len(values)}}
    (run / "summary.json").write_text(json.dumps({"tasks": {TASK: {"breakdown": breakdown}}}))
    return run


def _make_hostile(record: Record, text: str) -> Record:
    return replace(
        record,
        id=f"{text}{record.id}",
        cluster=f"{text}{record.cluster}",
        category=text.replace("/", ""),
        answer=f"{text}{record.value}",
        gold=text,
        text=f"{text}{record.value}",
    )


def _question(record: Record, text: str) -> StoredSample:
    return StoredSample(
        id=record.id, task=record.task, question=f"{text}?", options=(text, f"{text} "),
        gold=record.gold, kind=Kind.MULTIPLE_CHOICE, category=record.category,
        cluster=record.cluster, media=(), prompt=text,
    )  # fmt: skip


def _fail(record: Record, text: str) -> Record:
    failure = Failure(stage="media", error="MediaError", message=text)
    return replace(
        record, outcome=Outcome.FAILED, value=None, answer=None, text=None, failure=failure
    )


@pytest.fixture(params=["", "=1+1", "@x", "- ", "[/]"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of the same hostile items; the second is worse."""
    good = hostile_run(tmp_path / "a[red]b", request.param, [1.0] * 12 + [0.0] * 4)
    worse = hostile_run(tmp_path / "a[/]b", request.param, [0.0] * 12 + [1.0] * 4)
    return good, worse


ACTIVE_MARKDOWN = {
    "html_block", "html_inline", "link_open", "image", "em_open", "strong_open", "code_inline",
    "fence", "code_block", "blockquote_open",
}  # fmt: skip
"""What text of others must not become in a page of Markdown."""


def markdown_tokens(page: str) -> list[Token]:
    """Parse a page as GitHub does: CommonMark with tables and HTML."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


class _Tags(HTMLParser):
    """Counts the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)


def test_a_board_keeps_hostile_names_as_text_in_every_format(capsys, runs) -> None:
    """Markdown tables, LaTeX, HTML, CSV and JSON are whole, and name the model."""
    pages = {
        name: printed(capsys, "board", *runs, "--by", "--format", name)
        for name in ("text", "md", "latex", "csv", "html", "json")
    }
    assert "pwn" in pages["text"]
    tables = [line for line in pages["md"].splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert "<script" not in pages["md"]
    assert "evil | row" not in re.sub(r"\\\|", "", pages["md"])
    assert _Tags(pages["html"]).names.count("script") == 1
    assert not re.search(r"(?<!\\)[&%_#](?!\w*\{)(?=x</)", pages["latex"])
    assert pages["latex"].count(r"\begin{tabular}") == pages["latex"].count(r"\end{tabular}")
    cells = [cell for row in csv.reader(io.StringIO(pages["csv"])) for cell in row]
    assert not any(cell.startswith(("=", "@")) for cell in cells)
    assert any(HOSTILE in row["model"] for row in json.loads(pages["json"])["ranked"])


def test_a_gate_keeps_hostile_items_as_text_in_every_report(capsys, runs, tmp_path) -> None:
    """Terminal, Markdown summary, JUnit XML and JSON."""
    good, worse = runs
    baseline = tmp_path / "base.parquet"
    printed(capsys, "baseline", good, "-o", baseline)
    files = {name: tmp_path / f"report.{name}" for name in ("md", "xml", "json")}
    shown = printed(
        capsys, "gate", baseline, worse, "--summary", files["md"], "--junit", files["xml"],
        "--json", files["json"],
    )  # fmt: skip
    assert "pwn" in shown
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert not any(RAW.search(text) for text in texts.values())
    assert "<script" not in texts["md"]
    assert not re.search(r"(?<!\\)\| evil", texts["md"])
    kinds = [token.type for token in markdown_tokens(texts["md"])]
    assert kinds.count("table_open") == 3
    assert set(kinds) & ACTIVE_MARKDOWN == set()
    assert texts["md"].count("pwn") > 4 * len(json.loads(texts["json"])["flips"])
    assert ElementTree.fromstring(texts["xml"]).tag == "testsuite"
    assert any(HOSTILE in flip["id"] for flip in json.loads(texts["json"])["flips"])


def test_other_ids_than_the_baselines_are_named_on_one_line(capsys, runs, tmp_path) -> None:
    """What is missing is told with the id's controls escaped."""
    other = hostile_run(tmp_path / "other", "other", [1.0] * 16, failed=3)
    shown = printed(capsys, "gate", runs[0], other, "--summary", tmp_path / "s.md")
    assert "have no record in the run" in " ".join(shown.split())
    assert not RAW.search((tmp_path / "s.md").read_text())


def test_names_of_files_models_and_folders_are_printed_as_they_are(
    capsys, tmp_path, monkeypatch
) -> None:
    """eval, data check and score on a model, folder and responses with hostile names."""
    monkeypatch.setenv("COLUMNS", "400")  # a path in one line, however long the folder's name is
    data = tmp_path / "data[bold]x[/]"
    write_vsibench(data / "vsibench")
    out, model = tmp_path / "out[/red]\x1b[2J", "m[/]\x1b]0;pwn\x07\u202e"
    flags = ["--data", data, "--tasks", "vsibench", *SMALL]
    assert "[/]" in printed(capsys, "eval", model, *flags, "--dry-run")
    (data / "vsibench" / "scannet" / "demo0001_00.mp4").write_bytes(b"no video")
    assert "data[bold]x[/]" in printed(capsys, "eval", model, *flags, "--out", out)
    responses = tmp_path / "r[b].jsonl"
    rows = [{"id": f"vsibench/{n}", "text": f"{HOSTILE}\ud83d\x00"} for n in range(128)]
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = tmp_path / "scored"
    score = ["score", "--task", "vsibench", "--responses", responses, "--data", data]
    printed(capsys, *score, "--out", scored)
    kept = read_records(scored)
    assert {record.text for record in kept} == {f"{HOSTILE}\ufffd\x00"}
    assert not RAW.search((scored / "records-0.jsonl").read_text())
    page = tmp_path / "page.html"
    rescore = ["rescore", scored, "--scorer", "video-r1", "--data", data, "--page", page]
    printed(capsys, *rescore)
    assert "script" not in _Tags(page.read_text()).names
    assert not RAW.search(page.read_text())
    (data / "vsibench" / "scannet" / "demo0001_00.mp4").unlink()
    assert "data[bold]x[/]" in printed(capsys, "data", "check", "--data", data)


@pytest.mark.parametrize(
    "words",
    [[HOSTILE], ["eval", HOSTILE, f"--{HOSTILE}"], ["board", HOSTILE], ["gate", HOSTILE, HOSTILE],
     ["tasks", HOSTILE], ["score", "--task", HOSTILE, "--responses", HOSTILE],
     ["train", "sft", "--config", HOSTILE], ["train", "show", HOSTILE], ["watch", HOSTILE]],
)  # fmt: skip
def test_what_a_user_typed_is_repeated_without_its_controls(capsys, words) -> None:
    """Error messages quote words, paths and names of others."""
    main(words)
    shown = capsys.readouterr()
    assert not RAW.search(shown.out + shown.err)


def test_completions_of_a_training_are_shown_as_text(capsys, tmp_path) -> None:
    """``train show`` prints questions, answers and media names of others."""
    completion = {"text": HOSTILE, "rewards": {"x": 1.0}, "reward": 1.0, "advantage": 0.0,
                  "truncated": False, "tokens": 3}  # fmt: skip
    group = {"step": 1, "id": HOSTILE, "kind": "[/]", "media": [HOSTILE], "question": HOSTILE,
             "gold": HOSTILE, "failure": HOSTILE, "ordered": [completion],
             "shuffled": []}  # fmt: skip
    (tmp_path / "completions.jsonl").write_text(json.dumps(group) + "\n")
    (tmp_path / "train.json").write_text("{}")
    assert "pwn" in printed(capsys, "train", "show", tmp_path)


def test_hostile_records_survive_a_round_trip(tmp_path) -> None:
    """JSON Lines hold what the model said."""
    run = hostile_run(tmp_path / "run", "", [1.0, 0.0])
    assert [asdict(record)["gold"] for record in read_records(run)] == [HOSTILE, HOSTILE]
