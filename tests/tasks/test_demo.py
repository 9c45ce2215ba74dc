"""The demo's command, on an engine that answers with the first option."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.commands import run
from harness.cli.exits import CommandResult, Exit
from harness.run.store import read_records
from tasks.demo.command import PROBES, DemoCommand


@pytest.mark.slow
def test_the_demo_examines_probes_and_boards(tmp_path: Path, capsys) -> None:
    """Eight benchmarks with the frames in order, MotionWorld three times more, then one table."""
    verdict = run(DemoCommand(), ["--backend", "fake", "--out", str(tmp_path)])
    assert verdict.code is Exit.OK
    assert len(read_records(tmp_path / "run")) == 1088
    assert all(len(read_records(tmp_path / probe)) == 400 for probe in PROBES)
    assert "not ranked" in capsys.readouterr().out


@pytest.mark.parametrize("bad", [1, 2, 3, 4])
def test_an_evaluation_that_fails_is_how_the_demo_ends(tmp_path, bad) -> None:
    """Whichever of the four it is, nothing after it hides it."""
    done: list[str] = []

    def run_command(each: object, name: str, words: object) -> CommandResult:
        done.append(name)
        return CommandResult(Exit.INCOMPLETE if len(done) == bad else Exit.OK, "")

    (tmp_path / "data").mkdir()
    result = run(DemoCommand(run_command), ["--out", str(tmp_path)])
    assert (result.code, done) == (Exit.INCOMPLETE, ["eval"] * bad)
