"""Commands that print folders, rows, settings and results of others, whatever these are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.run.store import read_records
from tasks.demo.layouts import write_mvbench
from tests.faults.hostile import HOSTILE, RAW, SMALL, printed
from tests.paths import ROOT
from tests.trainer.rows import make_row, write_media, write_rows

NAME = "out[red]\x1b[2J\x9b31m\u202e[bold]"
"""A name that a folder can have."""
TRAINED = ROOT / "tasks/motionworld/trained"


def test_results_of_an_evaluation_are_shown_as_text(capsys, tmp_path) -> None:
    """Categories, models, failures and their messages, in the tables at the end of a run."""
    data, run = tmp_path / "data", tmp_path / NAME
    write_mvbench(data / "mvbench")
    flags = ["--data", data, "--tasks", "mvbench", "--limit", "10", "--out", run, *SMALL]
    printed(capsys, "eval", NAME, *flags)
    lines = [json.loads(line) for line in (run / "records-0.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        line["category"] = f"{HOSTILE}{number % 2}".replace("/", "")
        line["answer"] = line["text"] = HOSTILE
        if number < 3:
            failure = {"stage": HOSTILE, "error": HOSTILE, "message": HOSTILE}
            line |= {"failure": failure, "outcome": "failed", "value": None}
    (run / "records-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "summary.json").unlink()
    shown = printed(capsys, "eval", NAME, *flags, "--max-failures", "5")
    assert "pwn" in shown
    assert len(read_records(run)) == 10


@pytest.mark.parametrize("name", ["data", "empty"])
def test_a_machine_with_hostile_folders_is_described_as_text(capsys, tmp_path, name) -> None:
    """``doctor`` names folders, and questions that it cannot read."""
    data = tmp_path / NAME
    write_mvbench(data / "mvbench")
    if name == "empty":
        (data / "mvbench" / "json" / "action_count.json").write_text(json.dumps([{HOSTILE: 1}]))
    assert "mvbench" in printed(capsys, "doctor", "--data", data)
    printed(capsys, "doctor", "--data", tmp_path / HOSTILE)


def _write_hostile_rows(folder: Path) -> list[object]:
    """Write sound rows and bad ones, every text of them hostile; return flags that name them."""
    write_media(folder / NAME)
    options = [f"A. {HOSTILE}", f"B. {HOSTILE}"]
    rows = [
        make_row(HOSTILE, problem=HOSTILE, options=options, process=HOSTILE),
        make_row("gone", problem=HOSTILE, path=f"./{NAME}"),
        make_row("kind", problem_type=HOSTILE),
        make_row("gold", solution=f"<answer>{HOSTILE}</answer>"),
        make_row("media", path=None, videos=[HOSTILE]),
        make_row("special", problem=f"{HOSTILE} <|im_end|>"),
    ]
    return [write_rows(folder / f"{NAME}.json", rows), folder / NAME]


def test_rows_of_others_are_annotated_and_refused_as_text(capsys, tmp_path) -> None:
    """``annotate`` names rows, folders, checkpoints, and what it keeps."""
    rows, media = _write_hostile_rows(tmp_path)
    flags = ["--rows", rows, "--media-root", media, "--checkpoint", NAME, "--out",
             tmp_path / f"{NAME} kept.json", *SMALL[:2], *SMALL[4:]]  # fmt: skip
    printed(capsys, "annotate", *flags)
    printed(capsys, "annotate", *flags, "--exclude-bad-rows", "--min-reward", "0")


@pytest.mark.parametrize("on_bad_row", ["stop", "exclude"])
def test_rows_of_others_are_checked_and_refused_as_text(capsys, tmp_path, on_bad_row) -> None:
    """``train --dry-run`` lists the bad ones with what they hold."""
    rows, media = _write_hostile_rows(tmp_path)
    values = {
        "model.checkpoint": TRAINED, "data.rows": rows, "data.media_roots": media,
        "data.on_bad_row": on_bad_row, "optim.per_device_train_batch_size": 1,
    }  # fmt: skip
    sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    flags = ["--config", "tiny", "--out", tmp_path / f"{NAME} run", *sets]
    printed(capsys, "train", "sft", *flags, "--dry-run")


def test_worlds_are_drawn_and_refused_as_text(capsys, tmp_path) -> None:
    """``world`` names folders and aspects."""
    out = tmp_path / NAME
    printed(capsys, "world", "--out", out, "--aspects", HOSTILE)
    out.mkdir()
    printed(capsys, "world", "--out", out)
    (tmp_path / f"{NAME} 2").write_text("a file where the folder should be")
    printed(capsys, "world", "--out", tmp_path / f"{NAME} 2" / "x", "--no-checkpoint")


def test_a_demo_in_a_hostile_folder_is_refused_as_text(capsys, tmp_path) -> None:
    """``demo`` names its folder, where a file is in the way."""
    out = tmp_path / NAME
    out.write_text("a file where the folder should be")
    printed(capsys, "demo", "--out", out, "--backend", "fake")


def test_an_experiment_of_others_is_shown_as_text(capsys, tmp_path) -> None:
    """``miniature`` prints commands, and what it refuses of settings and folders."""
    out, config = tmp_path / NAME, tmp_path / f"{NAME}.toml"
    printed(capsys, "miniature", "--out", out, "--dry-run")
    printed(capsys, "miniature", "--out", out, "--arms", HOSTILE, "--dry-run")
    printed(capsys, "miniature", "--out", out, "--set", f"{HOSTILE}={HOSTILE}", "--dry-run")
    config.write_text(f"{json.dumps(HOSTILE)} = {json.dumps(HOSTILE)}\n")
    printed(capsys, "miniature", "--out", out, "--config", config, "--dry-run")
    out.mkdir(exist_ok=True)
    (out / "experiment.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    printed(capsys, "miniature", "--out", out, "--dry-run")


def test_nothing_raw_is_in_what_was_printed() -> None:
    """The pattern finds what it is there for; a test that cannot fail is worthless."""
    assert RAW.search(HOSTILE)
    assert RAW.search(NAME)
