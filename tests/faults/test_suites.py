"""Small versions of the suites that `python -m tests.faults.kill` and `bad_inputs` run whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "words",
    [
        ["kill", "--kills", "6", "--seed", "11"],
        ["kill", "--kills", "5", "--seed", "3", "--command", "probe"],
        ["bad_inputs", "--count", "60"],
    ],
)
def test_nothing_falls_through(words: list[str]) -> None:
    """Kills lose nothing; bad inputs end as documented. A failure prints the table."""
    command = [sys.executable, "-m", f"tests.faults.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
