"""Faults injected into every command, and taken away from a running one: what it then ends with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from harness.cli import main
from harness.cli.commands import entry_points
from tests.interrupts import interruptible
from tests.paths import ROOT

SMALL = ("--max-frames", "4", "--max-pixels", "18816", "--backend", "fake", "--workers", "1")
CONSOLE = "harness.text.console"
"""What most commands import first, and so before they look at any file."""
FIRST_IMPORT = {
    "baseline": "harness.gate.baseline",
    "board": "harness.board.entries",
    "protocol": "harness.run.protocol_files",
    "world": "tasks.motionworld.folder",
}
WORDS = {
    "annotate": "--rows r.json --media-root . --checkpoint c --out o.json --backend fake",
    "baseline": "run -o b.parquet",
    "board": "run",
    "data": "check",
    "demo": "",
    "doctor": "",
    "eval": "guesser --backend fake --tasks vsibench",
    "gate": "b.parquet run",
    "miniature": "--dry-run",
    "probe": "guesser --backend fake --tasks vsibench",
    "protocol": "official",
    "report": "run -o pages",
    "rescore": "run --scorer video-r1",
    "runs": ".",
    "score": "--task vsibench --responses r.jsonl",
    "show": "run",
    "tasks": "",
    "train": "sft --config tiny --set data.media_roots=.",
    "watch": "run --config tiny",
    "world": "--no-checkpoint --out w",
}


class _Broken(ModuleType):
    """A module from which nothing can be imported."""

    def __getattr__(self, name: str) -> object:
        raise LookupError(f"injected: {name}")


def test_every_command_is_in_the_table() -> None:
    """A new command gets its line."""
    ours = {name for name, point in entry_points().items() if point.dist.name == "videor1"}
    assert set(WORDS) == ours


@pytest.mark.parametrize("name", WORDS)
def test_an_unexpected_exception_in_a_command_is_70(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the command: exit 70, and a file with the traceback that the last line names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken = FIRST_IMPORT.get(name, CONSOLE)
    monkeypatch.setitem(sys.modules, broken, _Broken(broken))
    assert main([name, *WORDS[name].split()]) == 70
    last = capsys.readouterr().err.splitlines()[-1]
    found = re.fullmatch(r"exit 70 \(fault\): unexpected LookupError: injected: .* in (\S+)", last)
    assert found, last
    assert "Traceback (most recent call last):" in Path(found[1]).read_text()


@pytest.fixture(scope="module")
def made(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's data, a finished run of one benchmark and its baseline."""
    folder = tmp_path_factory.mktemp("faults")
    shutil.copytree(demo_data, folder / "data")
    words = ["--data", str(folder / "data"), "--out", str(folder / "run"), *SMALL]
    assert main(["eval", "guesser", "--tasks", "vsibench", *words]) == 0
    assert main(["baseline", str(folder / "run"), "-o", str(folder / "b.parquet")]) == 0
    rows = map(json.loads, (folder / "data/vsibench/test.jsonl").read_text().splitlines())
    texts = [{"id": f"vsibench/{row['id']}", "text": str(row["ground_truth"])} for row in rows]
    (folder / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("board run -o table.html", "table.html"),
        ("board run --format latex -o table.tex", "table.tex"),
        ("baseline run -o new.parquet", "new.parquet"),
        ("gate b.parquet run --json gate.json", "gate.json"),
        ("gate b.parquet run --junit gate.xml", "gate.xml"),
        ("gate b.parquet run --summary gate.md", "gate.md"),
        ("rescore run --scorer video-r1 --data data", "scores-video-r1.jsonl"),
        ("score --task vsibench --data data --responses texts.jsonl --out stored", "stored/"),
        ("world --no-checkpoint --out world", ".mp4"),
        ("eval guesser --data data --tasks vsibench --backend fake --out new", "new/"),
        ("eval guesser --data data --tasks vsibench --backend fake --out n --frame-cache f", "n/"),
        ("demo --backend fake --out demo", ".mp4"),
    ],
)
def test_no_command_ends_with_1_where_no_file_can_be_written(
    made: Path, words: str, file: str
) -> None:
    """With a limit of 0 bytes per file: exit 2 or 4, file and reason last, and no traceback."""
    code, last, errors = _run_limited(made, 0, words)
    assert code in (2, 4)
    assert file in last
    assert "File too large" in last
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_disk_that_fills_up_in_a_run_keeps_what_is_finished(made: Path) -> None:
    """Exit 4 at the first record that does not fit; the same command goes on with more room."""
    words = "eval guesser --data data --tasks mvbench --repeats 4 --out full " + " ".join(SMALL)
    code, last, errors = _run_limited(made, 60, words)  # the questions take 48
    assert (code, "Traceback" in errors) == (4, False)
    assert "records-0.jsonl: cannot be written" in last
    kept = (made / "full/records-0.jsonl").read_bytes()
    assert kept
    code, last, _ = _run_limited(made, None, words)
    assert code == 0
    assert (made / "full/records-0.jsonl").read_bytes().startswith(kept[: kept.rindex(b"\n") + 1])


def _run_limited(folder: Path, kilobytes: int | None, words: str) -> tuple[int, str, str]:
    """Run a command that may write so much to each file; return code, last line and all errors."""
    limit = "unlimited" if kilobytes is None else str(kilobytes)
    script = f'ulimit -f {limit}; exec "$0" -m harness "$@"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, *words.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1], done.stderr


def _remove_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def _remove_run(folder: Path) -> None:
    shutil.rmtree(folder / "run")


def _replace_run_by_a_file(folder: Path) -> None:
    (folder / "run").rename(folder / "elsewhere")
    (folder / "run").write_text("not a folder")


@pytest.mark.slow
@pytest.mark.parametrize("take_away", [_remove_data, _remove_run, _replace_run_by_a_file])
def test_what_is_taken_away_from_a_run_is_no_regression(
    made: Path, tmp_path: Path, take_away: Callable[[Path], None]
) -> None:
    """Data or records removed midway: never 1, a true last line, no traceback on the terminal."""
    shutil.copytree(made / "data", tmp_path / "data")
    command = [sys.executable, "-m", "harness", "eval", "guesser", "--data", "data", "--out", "run"]
    process = subprocess.Popen(
        interruptible([*command, *SMALL]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    records = tmp_path / "run" / "records-0.jsonl"
    while process.poll() is None and not (records.exists() and records.stat().st_size):
        time.sleep(0.005)
    take_away(tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (2, 4, 70)
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith(f"exit {process.returncode} (")
