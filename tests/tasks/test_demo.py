"""The demo's command, on an engine that answers with the first option."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.backends.engine_config import EngineConfig
from harness.cli.commands import run
from harness.cli.exits import CommandResult, Exit
from harness.run.config import DecodeConfig, EvalConfig
from harness.run.store import read_records
from tasks.demo.command import LACKING, DemoCommand
from tasks.demo.later_layouts import write_later_layouts


@pytest.mark.slow
def test_the_demo_examines_probes_and_boards(tmp_path: Path, capsys) -> None:
    """Eight benchmarks with the frames in order, MotionWorld in all variants, then one table."""
    verdict = run(DemoCommand(), ["--backend", "fake", "--out", str(tmp_path)])
    assert verdict.code is Exit.OK
    assert len(read_records(tmp_path / "run")) == 1088
    assert all(len(read_records(tmp_path / "probe" / name)) == 400 for name in LACKING)
    printed = capsys.readouterr().out
    assert "ordered minus" in printed
    assert "!= first block" in printed


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


LATER = (
    "mmvu", "videomme", "videomme-subtitles", "videomme-v2", "videomme-v2-subtitles",
    "longvideobench", "longvideobench-subtitles", "videoholmes", "charades-sta",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["video-r1", "official"])
def test_every_later_benchmark_runs_on_the_demos_data(tmp_path: Path, protocol: str) -> None:
    """From its publisher's layout to a score, under both protocols."""
    write_later_layouts(tmp_path / "data")
    config = EvalConfig(
        engine=EngineConfig(backend="fake"), decode=DecodeConfig(workers=1), max_pixels=18816
    )
    found = harness.evaluate(
        "guesser", tasks=LATER, data=tmp_path / "data", protocol=protocol, out=tmp_path / "run",
        config=config, progress=False,
    )  # fmt: skip
    assert all(summary.outcomes["failed"] == 0 for summary in found.scores.values())
    assert set(found.scores) == set(LATER)
    assert all(summary.score is not None for summary in found.scores.values())
