"""Two processes train as one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from safetensors.torch import load_file

from tests.trainer.loops import rows, sft_recipe
from trainer import sft

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
LAUNCH = sorted((Path(__file__).parents[2] / "trainer" / "launch").glob("*.yaml"))


def launch(algorithm: str, checkpoint: Path, folder: Path) -> None:
    script = Path(__file__).parent / "two_processes.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    done = subprocess.run(
        [*command, str(script), algorithm, str(checkpoint), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_group_over_two_processes_is_one_group(student, tmp_path):
    """Log-probabilities are right in both; rewards are normalised over both halves; both halves'
    twins show one permutation, 8 of them for 16; each process decodes a prompt once."""
    rows(tmp_path / "media")
    launch("tgrpo", student, tmp_path)
    for rank in (0, 1):
        seen = json.loads((tmp_path / f"seen-{rank}.json").read_text())
        assert seen["compared"] > 50
        assert seen["largest"] < 1e-5
        assert seen["decodes"] <= 3  # two updates, and the third one's is under way
        assert seen["processor_calls"] <= 2 * 2
    lines = [json.loads(line) for line in (tmp_path / "two/completions.jsonl").open()]
    assert [line["step"] for line in lines] == [1, 2]
    for line in lines:
        assert len(line["ordered"]) == 16
        assert len(line["shuffled"]) == (0 if line["media"][0].endswith(".png") else 8)
        rewards = [answer["reward"] for answer in line["ordered"]]
        mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
        assert [answer["advantage"] for answer in line["ordered"]] == pytest.approx(
            [(reward - mean) / (spread + 1e-4) for reward in rewards], abs=1e-4
        )


def test_two_processes_fine_tune_as_one(student, tmp_path):
    """Batches of one row each, twice, are batches of two rows once."""
    data = rows(tmp_path / "media")
    launch("sft", student, tmp_path)
    recipe = sft_recipe(student, tmp_path, steps=3, batch_size=2, save_steps=3)
    sft.train(recipe, tmp_path / "one", rows=data)
    one, two = (
        load_file(tmp_path / run / "checkpoint-3" / "model.safetensors") for run in ("one", "two")
    )
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=2e-5, rtol=0)


@pytest.mark.parametrize("path", LAUNCH, ids=lambda path: path.stem)
def test_launch_configs_are_accelerate_s(path):
    """Accelerate reads them and knows every key."""
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes == 8
    assert str(config.mixed_precision) == "bf16"


def test_there_is_a_launch_config_for_each_setting():
    """Whole models, PyTorch's sharding, and the two DeepSpeed stages of the paper."""
    assert [path.stem for path in LAUNCH] == ["ddp", "fsdp", "zero2", "zero3"]
