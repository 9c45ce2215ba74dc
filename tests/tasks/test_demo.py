"""The demo's command, on an engine that answers with the first option."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.commands import run
from harness.cli.exits import CommandResult, Exit
from harness.run.store import read_records
from tasks.demo.command import LACKING, DemoCommand


@pytest.mark.slow
def test_the_demo_examines_probes_and_boards(tmp_path: Path, capsys) -> None:
    """Eight benchmarks with the frames in order, MotionWorld in all variants, then one table."""
    verdict = run(DemoCommand(), ["--backend", "fake", "--out", str(tmp_path)])
    assert verdict.code is Exit.OK
    assert len(read_records(tmp_path / "run")) == 1088
    assert all(len(read_records(tmp_path / "probe" / name)) == 400 for name in LACKING)
    printed = capsys.readouterr().out
    assert "ordered minus" in printed
    assert "not ranked" in printed


@pytest.mark.parametrize("bad", [1, 2])
def test_an_evaluation_that_fails_is_how_the_demo_ends(tmp_path, bad) -> None:
    """The benchmarks or the probe, nothing after it hides it."""
    done: list[str] = []

    def run_command(each: object, name: str, words: object) -> CommandResult:
        done.append(name)
        return CommandResult(Exit.INCOMPLETE if len(done) == bad else Exit.OK, "")

    (tmp_path / "data").mkdir()
    result = run(DemoCommand(run_command), ["--out", str(tmp_path)])
    assert (result.code, done) == (Exit.INCOMPLETE, ["eval", "probe"][:bad])
