"""Runs `nodes_of_ray` in a process of its own: Ray starts one kind of cluster per process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

pytest.importorskip("ray", reason="needs the heavy environment: Ray is not installed")

pytestmark = pytest.mark.engine
_INHERITED = ("PATH", "HOME", "TMPDIR", "OMP_NUM_THREADS", "GOMP_SPINCOUNT", "LD_LIBRARY_PATH")


def test_nodes_that_differ_are_named() -> None:
    """All of `nodes_of_ray` passes: nodes are named before the first item, and by doctor."""
    # What Ray has set for an earlier cluster of this process keeps another from starting.
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engines/nodes_of_ray.py")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "4 passed" in done.stdout) == (0, True), done.stdout + done.stderr
