"""Our own CI: the checkpoint that comes along is evaluated, gated and compared with its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.probe.summary import read_probe
from tasks.motionworld.trained import CHECKPOINT, card
from tests.paths import ROOT

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
BASELINES = ROOT / "results" / "baselines"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole demo, its gate included."""
    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--out", str(folder)]) == 0
    return folder


def score(run: Path, task: str) -> float:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return float(summary["tasks"][task]["score"])


def gate(run: Path) -> int:
    policy = str(BASELINES / "demo.toml")
    return main(["gate", str(BASELINES / "demo.parquet"), str(run), "--policy", policy])


def test_the_checkpoint_that_comes_along_passes_the_committed_gate(demo, capsys):
    """A change of prompts, frames, engines or scorers that costs ten points ends here.

    After a change that is meant to move the demo's scores, freeze a new baseline:
    ``videor1 baseline results/demo/run -o results/baselines/demo.parquet --policy ...``.
    """
    assert gate(demo / "run") == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("run", "motionworld/ordered"),
        ("run", "motionworld-stills/ordered"),
        ("probe/shuffled", "motionworld/shuffled"),
        ("probe/single", "motionworld/single"),
        ("probe/blind", "motionworld/blind"),
    ],
)
def test_the_demos_scores_are_those_of_the_card(demo, folder, name):
    """Made with another engine, so that one item in a hundred may differ by its last bits."""
    told = card()["test"][name]["score"]
    assert abs(score(demo / folder, name.partition("/")[0]) - told) <= 1.0


def test_the_world_cannot_be_answered_without_time(demo):
    """One frame, or none, is worth about as much as always saying the same."""
    assert score(demo / "run", "motionworld") > 80
    for variant in ("single", "blind"):
        assert score(demo / "probe" / variant, "motionworld") < 40


def test_the_probe_asks_all_variants_with_one_engine_and_decodes_each_video_once(demo):
    """400 videos and 2,000 questions; what is gained by order has its interval."""
    probe = read_probe(demo / "probe")
    assert probe.engine_starts == 1
    assert (probe.timing["decode"]["decodes"], probe.timing["items"]) == (400, 2000)
    scores = {name: one.tasks["motionworld"].score for name, one in probe.variants.items()}
    gain = probe.measure("temporal_gain", "motionworld")
    assert abs(gain.value - (scores["ordered"] - scores["shuffled"])) < 1e-9
    assert gain.ci95[0] < gain.value < gain.ci95[1]
    assert (gain.n, gain.n_clusters) == (400, 200)


def test_the_checkpoint_is_small_enough_to_ship():
    """At most eight megabytes of weights."""
    assert sum(path.stat().st_size for path in CHECKPOINT.glob("*.safetensors")) <= 8_000_000


def test_the_gate_notices_a_model_that_lost_everything(demo, tmp_path):
    """The same run with all its answers wrong is a regression."""
    worse = Path(shutil.copytree(demo / "run", tmp_path / "worse"))
    (worse / "records.parquet").unlink()
    file = worse / "records-0.jsonl"
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lost = [json.dumps({**record, "value": 0.0, "outcome": "wrong"}) for record in records]
    file.write_text("\n".join(lost) + "\n", encoding="utf-8")
    assert gate(worse) == 1
