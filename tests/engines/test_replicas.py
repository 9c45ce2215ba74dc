"""Replicas on Ray with a real engine: they answer what one process answers, each video once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness.backends.engine_config import EngineConfig
from harness.run.config import ClusterConfig, DecodeConfig, EvalConfig
from harness.run.evaluate import prepare, run_job
from harness.run.observer import RunObserver
from harness.run.store import read_records
from harness.run.timing import Timing
from harness.schema import ItemKey
from tasks.motionworld.folder import write_test_split
from tasks.motionworld.trained import CHECKPOINT, card
from tests.faults.replicas import GONE_S, strip
from tests.faults.small_cluster import MARK, marked, seconds_until_gone
from tests.paths import ROOT

pytest.importorskip("ray", reason="needs the heavy environment: Ray is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
ITEMS = 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MotionWorld's test split, with the clips that the shipped checkpoint was trained for."""
    folder: Path = tmp_path_factory.mktemp("world")
    trained_on = card()
    write_test_split(folder, trained_on["world_seed"], trained_on["aspects"])
    return folder


def answer(data: Path, out: Path, replicas: str) -> tuple[dict[ItemKey, Any], Timing]:
    """Evaluate the shipped checkpoint; return its records without times, and what was counted."""
    config = EvalConfig(
        tasks=("motionworld",), data=data, out=out, max_frames=8, max_pixels=3136, limit=ITEMS,
        engine=EngineConfig(backend="vllm"), decode=DecodeConfig(workers=1),
        cluster=ClusterConfig(replicas=replicas),
    )  # fmt: skip
    _, timing = run_job(prepare(str(CHECKPOINT), config), RunObserver())
    assert timing is not None
    return {record.key: strip(record) for record in read_records(out)}, timing


def test_two_replicas_answer_what_one_process_answers(data, tmp_path, capfd, monkeypatch):
    """Records are equal field by field, times aside; no video is decoded or encoded twice."""
    mark = uuid4().hex
    monkeypatch.setenv(MARK, mark)
    alone, _ = answer(data, tmp_path / "alone", "1")
    capfd.readouterr()
    shared, timing = answer(data, tmp_path / "shared", "2")
    assert shared == alone
    videos = len({record["cluster"] for record in alone.values()})
    assert len(alone) == ITEMS
    assert (timing.decode.decodes, timing.engine.vision_encodings) == (videos, videos)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", ""), "Ray's own noise"
    accounts = json.loads((tmp_path / "shared" / "summary.json").read_text())["replicas"]
    assert all(one["items"] > 0 and one["lost"] is None for one in accounts)
    assert sum(one["items"] for one in accounts) == ITEMS
    assert seconds_until_gone(marked(mark), GONE_S) is not None


def test_nothing_is_lost_when_a_replica_or_a_node_dies_or_at_ctrl_c():
    """A short run of the death suite, in a process of its own since it starts clusters."""
    words = ("--runs", "3", "--drivers", "0", "--interrupts", "1", "--seed", "16")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.replicas", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "4 of 4 hold" in done.stdout) == (0, True), done.stdout + done.stderr
