"""Our own CI: the demo checkpoint is evaluated and gated against the committed baseline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
BASELINES = Path(__file__).parents[2] / "results" / "baselines"


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--out", str(folder)]) == 0
    return folder / "run"


def gate(run: Path) -> int:
    policy = str(BASELINES / "demo.toml")
    return main(["gate", str(BASELINES / "demo.parquet"), str(run), "--policy", policy])


def test_the_demo_checkpoint_passes_the_committed_gate(demo_run, capsys):
    """A change of prompts, frames, engines or scorers that costs ten points ends here.

    After a change that is meant to move the demo's scores, freeze a new baseline:
    ``videor1 baseline results/demo/run -o results/baselines/demo.parquet --policy ...``.
    """
    assert gate(demo_run) == 0, capsys.readouterr().out


def test_the_gate_notices_a_model_that_lost_everything(demo_run, tmp_path):
    """The same run with all its answers wrong is a regression."""
    worse = Path(shutil.copytree(demo_run, tmp_path / "worse"))
    (worse / "records.parquet").unlink()
    file = worse / "records-0.jsonl"
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lost = [json.dumps({**record, "value": 0.0, "outcome": "wrong"}) for record in records]
    file.write_text("\n".join(lost) + "\n", encoding="utf-8")
    assert gate(worse) == 1
