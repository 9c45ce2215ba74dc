"""What is taken away from a run on a real engine, and a disk that fills up in a training."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.paths import ROOT

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def test_a_checkpoint_removed_while_the_engine_starts_is_no_regression(
    checkpoint_of, demo_data, tmp_path
):
    """Exit 2, 4 or 70 with the reason last, and no traceback on the terminal."""
    checkpoint = Path(shutil.copytree(checkpoint_of("qwen2_5_vl").path, tmp_path / "checkpoint"))
    process = subprocess.Popen(
        [
            sys.executable, "-m", "harness", "eval", str(checkpoint), "--data", str(demo_data),
            "--tasks", "mvbench", "--backend", "transformers", "--out", str(tmp_path / "run"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while process.poll() is None and not (tmp_path / "run/run.json").exists():
        time.sleep(0.01)
    shutil.rmtree(checkpoint)
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (2, 4, 70), errors
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith(f"exit {process.returncode} (")
