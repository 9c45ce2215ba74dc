"""The whole miniature at its smallest: one command, and the same command again."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import rmtree

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from harness.cli.exits import Exit
from tests.trainer.commands import run
from trainer.cli.miniature import MiniatureCommand
from trainer.miniature.embed import candidates, embed
from trainer.miniature.scheduler import durations

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
FLAGS = ("--arms", "sft,tgrpo", "--steps", "1", "--set", "sft_steps=1", "--set", "dataset.sft=4")
SMALLER = ("--set", "dataset.rl=4", "--set", "dataset.dev=4", "--set", "dataset.test=4")


def test_one_command_ends_in_a_table_and_resumes(tmp_path: Path, capsys) -> None:
    """Trainings and evaluations run; a second time nothing runs, and the numbers are the same."""
    out = tmp_path / "mini"
    words = (*FLAGS, *SMALLER, "--out", out)
    verdict = run(MiniatureCommand(), *words)
    assert verdict.code is Exit.OK, verdict
    assert "full: T-GRPO" in capsys.readouterr().out
    numbers, took = (out / "outcome.json").read_bytes(), durations(out)
    assert set(took) == {
        f"seed-0/{arm}{stage}"
        for arm in ("sft", "tgrpo")
        for stage in ("", "/watch", "/ordered", "/shuffled", "/reversed", "/single", "/blind")
    }
    assert run(MiniatureCommand(), *words).code is Exit.OK
    assert ((out / "outcome.json").read_bytes(), durations(out)) == (numbers, took)
    _embeds(out, tmp_path / "embedded")


def _embeds(out: Path, target: Path) -> None:
    """The best checkpoint can be shipped: a folder that an engine loads, with its card."""
    best = max(candidates(out), key=lambda one: one.dev)
    embed(best, out, target)
    card = json.loads((target / "card.json").read_text())
    assert (card["seed"], card["arm"]) == (0, best.arm)
    assert card["test"]["motionworld/ordered"]["n"] == 16
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in target.iterdir()
    }
    assert not (target / "optimizer.pt").exists()


SHORTCUT = ("--config", "shortcut", "--arms", "sft,grpo-90")
"""The start and the arm of the first question."""


def test_the_shortcut_experiment_answers_resumes_and_repeats(tmp_path: Path, capsys) -> None:
    """What is lost of a training and its evaluation is made again, and every file is equal."""
    out = tmp_path / "mini"
    words = (
        *SHORTCUT, "--steps", "1", "--set", "sft_steps=1", "--set", "dataset.sft=4", *SMALLER,
        "--out", out,
    )  # fmt: skip
    assert run(MiniatureCommand(), *words).code is Exit.OK
    assert "Does GRPO take the shortcut?" in capsys.readouterr().out
    assert set(durations(out)) == {
        f"seed-0/{arm}{stage}" for arm in ("sft", "grpo-90") for stage in ("", "/dev-1", "/test")
    }
    names = ("table.md", "table.tex", "outcome.json", "curves.png")
    first = [(out / name).read_bytes() for name in names]
    for lost in ("grpo-90", "test/grpo-90"):
        rmtree(out / "seed-0" / lost)
    done = out / "stages.jsonl"
    kept = [line for line in done.read_text().splitlines(True) if '"seed-0/sft' in line]
    done.write_text("".join(kept))
    assert run(MiniatureCommand(), *words).code is Exit.OK
    assert [(out / name).read_bytes() for name in names] == first
    assert list(json.loads((out / "outcome.json").read_text())["questions"]) == ["takes-90"]
