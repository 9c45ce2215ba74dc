"""Commands run in a folder with Python files named like our packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.cli.child import child_command
from tasks.demo.layouts import write_mvbench
from tests.trainer.fake_runs import begin_run, save
from trainer.miniature.experiment import Experiment, Stage
from trainer.miniature.scheduler import Scheduler, stage_log
from trainer.miniature.settings import read_miniature
from trainer.miniature.studies import find_study

pytestmark = pytest.mark.slow


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder whose tasks.py, harness.py and trainer.py must never be imported."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for name in ("tasks", "harness", "trainer"):
        (folder / f"{name}.py").write_text('raise SystemExit("a file of the user was imported")')
    return folder


def videor1(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        child_command(words), cwd=folder, capture_output=True, text=True, check=False
    )


def test_eval_runs_beside_foreign_files(foreign):
    """Its decode workers, which are spawned, run too."""
    write_mvbench(foreign / "data/mvbench")
    flags = ("--tasks", "mvbench", "--limit", "4", "--max-frames", "2", "--max-pixels", "3136")
    done = videor1(foreign, "eval", "guesser", "--backend", "fake", *flags, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert (foreign / "run/summary.json").exists()


def test_watch_and_the_evaluations_it_starts_run_beside_foreign_files(foreign):
    """Two checkpoints are evaluated, each in a process of its own."""
    write_mvbench(foreign / "data/mvbench")
    save(begin_run(foreign / "run", start=str(save(foreign / "before", 5))), 10)
    settings = {
        "slice.tasks": "mvbench", "slice.backend": "fake", "slice.items_per_task": 4,
        "slice.max_frames": 2, "slice.max_pixels": 3136,
    }  # fmt: skip
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = videor1(foreign, "watch", "run", "--once", "--config", "paper", "--out", "watch", *sets)
    assert "2 checkpoints evaluated" in done.stderr, done.stderr
    assert {path.name for path in (foreign / "watch").glob("step-*.json")} == {
        "step-000000.json",
        "step-000010.json",
    }


def test_the_miniature_plans_its_commands_beside_foreign_files(foreign):
    """A dry run prints them all."""
    done = videor1(foreign, "miniature", "--dry-run", "--arms", "sft", "--out", "mini")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("videor1 train sft")


def test_the_commands_of_the_miniature_run_beside_foreign_files(foreign, monkeypatch):
    """The scheduler starts a stage of the plan, here with --help added, in that folder."""
    monkeypatch.chdir(foreign)
    out = foreign / "mini"
    settings = read_miniature("tiny")
    study = find_study(settings)
    plan = Experiment(out=out, settings=settings, study=study, arms=study.arms, seeds=(0,))
    first = plan.stages()[0]
    scheduler = Scheduler(out, jobs=1)
    with_help = Stage(name="first", words=(*first.words, "--help"))
    scheduler.run([with_help], lambda progress: None)
    assert not scheduler.failed, stage_log(out, with_help).read_text()
    assert "usage: videor1 train sft" in stage_log(out, with_help).read_text()
