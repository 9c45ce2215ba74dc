"""The demo's command, on an engine that answers with the first option."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.commands import run
from harness.cli.exits import CommandResult, Exit
from harness.run.store import read_records
from tasks.demo import command
from tasks.demo.command import PROBES, Demo


def test_the_demo_examines_probes_and_boards(tmp_path: Path, capsys) -> None:
    """Six benchmarks with the frames in order, the world three times more, then one table."""
    verdict = run(Demo(), ["--backend", "fake", "--out", str(tmp_path)])
    assert verdict.code is Exit.OK
    assert len(read_records(tmp_path / "run")) == 1024
    assert all(len(read_records(tmp_path / probe)) == 400 for probe in PROBES)
    assert "not ranked" in capsys.readouterr().out


@pytest.mark.parametrize("bad", [1, 2, 3, 4])
def test_an_evaluation_that_fails_is_how_the_demo_ends(tmp_path, monkeypatch, bad) -> None:
    """Whichever of the four it is, nothing after it hides it."""
    done: list[str] = []

    def do(each: object, name: str, words: object) -> CommandResult:
        done.append(name)
        return CommandResult(Exit.INCOMPLETE if len(done) == bad else Exit.OK, "")

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(command, "_do", do)
    verdict = run(Demo(), ["--out", str(tmp_path)])
    assert (verdict.code, done) == (Exit.INCOMPLETE, ["eval"] * bad)
