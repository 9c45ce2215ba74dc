"""Two processes train to the same weights as one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from safetensors.torch import load_file

from tests.engines import tiny
from tests.paths import ROOT
from tests.trainer.checked_trainers import run_grpo
from tests.trainer.small_runs import (
    filtered_recipe,
    half_broken,
    load_small,
    mixed_rows,
    rows,
    says_with_spread,
    seven_rows,
    sft_recipe,
    train_small,
)
from tests.trainer.times import is_time
from trainer.algorithms import sft

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
LAUNCH = sorted((ROOT / "trainer" / "launch").glob("*.yaml"))


_HALF_BLIND = ("fine_tune_half_blind", "half_blind_groups", "half_blind_evidence")
_EVERYWHERE = ("beside_text", "resume_fine_tuning", "resume_rollouts", "share_prompts")
CASES = {
    "whole": (
        "cut_groups",
        "filtered_groups",
        "fine_tune",
        "evidence_of_cut_groups",
        *_HALF_BLIND,
        *_EVERYWHERE,
    ),
    "sharded": (*_HALF_BLIND, *_EVERYWHERE),
    "zero2": _EVERYWHERE,
    "zero3": _EVERYWHERE,
}
"""Functions of ``two_processes.py`` that one launch runs: with whole weights, with those of FSDP,
and with DeepSpeed's stages, which no environment of the tests installs."""
_HAS_DEEPSPEED = find_spec("deepspeed") is not None
_ZERO = [
    pytest.param(
        mode, marks=pytest.mark.skipif(not _HAS_DEEPSPEED, reason="deepspeed is not installed")
    )
    for mode in ("zero2", "zero3")
]


def launch(mode: str, checkpoint: Path, folder: Path) -> None:
    """Run the cases of a mode in two processes; what hangs is ended."""
    script = Path(__file__).parent / "two_processes.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    running = subprocess.Popen(
        [*command, str(script), mode, str(checkpoint), str(folder), *CASES[mode]],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, printed = running.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        running.terminate()  # which ends both; were torchrun killed, they would go on
        running.communicate(timeout=60)
        raise
    assert running.returncode == 0, printed[-4000:]


@pytest.fixture(scope="module")
def trained(student, tmp_path_factory):
    """Return the folder that two processes have trained a case in."""
    done: dict[str, Path] = {}

    def folder_of(case: str, mode: str = "whole") -> Path:
        if mode not in done:
            done[mode] = tmp_path_factory.mktemp(mode)
            for name in CASES[mode]:
                (done[mode] / name).mkdir()
                if name == "filtered_groups":
                    seven_rows(done[mode] / name)
                    continue
                make = half_broken if "half_blind" in name else rows
                make = mixed_rows if name in ("beside_text", "share_prompts") else make
                make(done[mode] / name / "media")
                if name == "share_prompts":
                    tiny.qwen3_vl(done[mode] / name / "qwen3")
            launch(mode, student, done[mode])
        return done[mode] / case

    return folder_of


def test_a_group_over_two_processes_is_one_group(trained):
    """Log-probabilities are right in both; rewards are normalised over both halves; both halves'
    shuffled prompts have one permutation, 8 for 16; each process decodes a prompt once."""
    folder = trained("cut_groups")
    for rank in (0, 1):
        seen = json.loads((folder / f"seen-{rank}.json").read_text())
        assert seen["compared"] > 50
        assert seen["largest"] < 1e-5
        assert seen["decodes"] <= 3  # two updates, and the third one's is under way
        assert seen["processor_calls"] <= 2 * 2
    lines = [json.loads(line) for line in (folder / "two/completions.jsonl").open()]
    assert [line["step"] for line in lines] == [1, 2]
    for line in lines:
        assert len(line["ordered"]) == 16
        assert len(line["shuffled"]) == (0 if line["media"][0].endswith(".png") else 8)
        rewards = [answer["reward"] for answer in line["ordered"]]
        mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
        assert [answer["advantage"] for answer in line["ordered"]] == pytest.approx(
            [(reward - mean) / (spread + 1e-4) for reward in rewards], abs=1e-4
        )


def test_evidence_of_a_group_over_two_processes(trained):
    """Each compares its own right answers, with one permutation for both; likelihoods are right to
    1e-5, and the second process, which has none, has the other's rewards in its baseline."""
    folder = trained("evidence_of_cut_groups")
    seen = [json.loads((folder / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    assert all(one["largest"] < 1e-5 for one in seen)
    assert seen[1]["shuffled"] == 0
    written = lines(folder / "two" / "completions.jsonl")
    videos = sum(not line["media"][0].endswith(".png") for line in written)
    assert seen[0]["shuffled"] == 4 * videos > 0
    for line in written:
        ratios = [one.get("log_ratio") for one in line["ordered"]]
        assert ratios[8:] == [None] * 8
        image = line["media"][0].endswith(".png")
        assert [ratio is None for ratio in ratios[:8]] == [image, True] * 4
        rewards = [one["reward"] for one in line["ordered"]]
        mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
        assert [one["advantage"] for one in line["ordered"]] == pytest.approx(
            [(reward - mean) / (spread + 1e-4) for reward in rewards], abs=1e-4
        )


def test_two_processes_filter_groups_as_one(student, trained):
    """Both ask the same rows, a group that one of them sampled trains in the other, and weights,
    groups and counts are those of one process."""
    folder = trained("filtered_groups")
    recipe = filtered_recipe(student, folder, per_device_train_batch_size=12)
    run_grpo(recipe, folder / "one", seven_rows(folder), says=says_with_spread)
    one, two = (lines(folder / run / "completions.jsonl") for run in ("one", "two"))
    assert one == two
    assert sum(line["left_out"] is None for line in one) == 2 * 3
    counts = [
        [
            {name: value for name, value in line.items() if name.startswith("filter/")}
            for line in lines(folder / run / "metrics.jsonl")
        ]
        for run in ("one", "two")
    ]
    assert counts[0] == counts[1]
    assert counts[0][0]["filter/rounds"] > 1
    ours = dict(load_small(folder / "one" / "checkpoint-2").model.named_parameters())
    for rank in (0, 1):
        theirs = load_file(folder / f"weights-{rank}.safetensors")
        for name, weight in ours.items():
            torch.testing.assert_close(weight.detach(), theirs[name], atol=2e-5, rtol=0)


def test_two_processes_fine_tune_as_one(student, trained):
    """Batches of one row each, twice, are batches of two rows once."""
    folder = trained("fine_tune")
    data = rows(folder / "media")
    recipe = sft_recipe(student, folder, max_steps=3, per_device_train_batch_size=2, save_steps=3)
    train_small(sft, recipe, folder / "one", rows=data)
    one, two = (
        load_file(folder / run / "checkpoint-3" / "model.safetensors") for run in ("one", "two")
    )
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=2e-5, rtol=0)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


MODES = pytest.mark.parametrize("mode", ["whole", "sharded"])
ALL_MODES = pytest.mark.parametrize("mode", ["whole", "sharded", *_ZERO])


@MODES
def test_a_process_without_a_decodable_row_takes_part_in_fine_tuning(student, trained, mode):
    """Its row is counted and in no loss; the weights are those of training in one process."""
    folder = trained("fine_tune_half_blind", mode)
    data = half_broken(folder / "media")
    recipe = sft_recipe(student, folder, max_steps=3, per_device_train_batch_size=2, save_steps=3)
    train_small(sft, recipe, folder / "one", rows=data)
    two = load_file(folder / "weights-0.safetensors")
    one = dict(load_small(folder / "one" / "checkpoint-3").model.named_parameters())
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name].detach(), two[name], atol=2e-5, rtol=0)
    for run in ("one", "two"):
        metrics = lines(folder / run / "metrics.jsonl")
        assert [line["failed_rows"] for line in metrics if "loss" in line] == [1, 1, 1]


@MODES
def test_a_process_without_a_decodable_row_takes_part_in_rollouts_and_updates(trained, mode):
    """Its group is dropped, the other's is not, and both processes keep the same weights."""
    folder = trained("half_blind_groups", mode)
    one, two = (load_file(folder / f"weights-{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    groups = lines(folder / "two" / "completions.jsonl")
    assert [group["step"] for group in groups] == [1, 1, 2, 2, 3, 3]
    for group in groups:
        failed = group["id"] == "row-4"
        assert (group["failure"] is not None) == failed
        answers = len(group["ordered"]), len(group["shuffled"])
        assert answers == ((0, 0) if failed else (4, 2))


@ALL_MODES
def test_a_process_with_text_alone_trains_beside_one_with_a_video(student, trained, mode):
    """The others' calls of the vision tower find it there; the weights are those of training in one
    process, and groups of both are sampled and trained on."""
    folder = trained("beside_text", mode)
    video, *_, text = mixed_rows(folder / "media")
    recipe = sft_recipe(
        student, folder, max_steps=2, per_device_train_batch_size=2, learning_rate=0.1
    )
    # Plain gradient descent: AdamW would divide rounding by small gradients.
    recipe = replace(recipe, trl={"optim": "sgd"})
    train_small(sft, recipe, folder / "one", rows=[video, text])
    one = dict(load_small(folder / "one" / "checkpoint-2").model.named_parameters())
    two = load_file(folder / "weights-0.safetensors")
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name].detach(), two[name], atol=2e-5, rtol=0)
    groups = lines(folder / "groups" / "completions.jsonl")
    shown = sorted((group["step"], len(group["media"])) for group in groups)
    assert shown == [(1, 0), (1, 1), (2, 0), (2, 1)]


@ALL_MODES
@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_packed_rows_update_two_processes_as_single_rows_do(trained, name, mode):
    """With plain gradient descent and a rate of 1 the weights differ by their gradients, to 1e-5;
    parts of groups, gradient checkpointing, videos in a process, image and text in the other."""
    folder = trained("share_prompts", mode)
    packed, single = (
        load_file(folder / f"{name}-{share}" / "weights-0.safetensors") for share in (True, False)
    )
    assert packed.keys() == single.keys()
    assert lines(folder / f"{name}-True" / "metrics.jsonl")[0]["grad_norm"] > 0.1
    for part in single:
        torch.testing.assert_close(packed[part], single[part], atol=1e-5, rtol=1e-5)


OPTIMIZER = {"whole": "optimizer.pt", "sharded": "optimizer.bin"}


def moments(path: Path) -> dict[str, torch.Tensor]:
    """Return the state of AdamW that a checkpoint has, by parameter and name."""
    state = torch.load(path, weights_only=True)["state"]
    return {f"{one}.{name}": value for one, own in state.items() for name, value in own.items()}


@ALL_MODES
@pytest.mark.parametrize("case", ["resume_fine_tuning", "resume_rollouts"])
def test_two_processes_resume_to_the_same_result(trained, case, mode):
    """Killed in the third update of four: weights, optimizer, metrics and rollouts equal those of
    a run that nobody killed, to the last bit; both are what `videor1 eval` would read."""
    folder = trained(case, mode)
    whole, cut = (folder / run / "checkpoint-4" for run in ("whole", "cut"))
    ours, theirs = (load_file(one / "model.safetensors") for one in (cut, whole))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    if mode in OPTIMIZER:  # DeepSpeed has a file per process, of flat tensors
        ours, theirs = (moments(one / OPTIMIZER[mode]) for one in (cut, whole))
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    for file in ("metrics.jsonl", "completions.jsonl"):
        if (folder / "whole" / file).exists():
            assert untimed(folder / "cut" / file) == untimed(folder / "whole" / file)
    assert (folder / "whole" / "completions.jsonl").exists() == (case == "resume_rollouts")
    start = load_file(folder / "whole" / "checkpoint-2" / "model.safetensors")
    assert any(not torch.equal(start[name], one) for name, one in load_file(
        whole / "model.safetensors").items())  # fmt: skip
    in_memory = load_file(folder / "weights-0.safetensors")
    read = dict(load_small(whole).model.named_parameters())
    assert read.keys() == in_memory.keys()
    assert [name for name in read if not torch.equal(read[name], in_memory[name])] == []


def untimed(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file without what differs from run to run."""
    return [{name: one for name, one in line.items() if not is_time(name)} for line in lines(path)]


@MODES
def test_a_process_with_nothing_to_compare_takes_part_in_the_comparison(trained, mode):
    """Its media cannot be decoded; both keep the same weights, the other's answers are compared."""
    folder = trained("half_blind_evidence", mode)
    one, two = (load_file(folder / f"weights-{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    for group in lines(folder / "two" / "completions.jsonl"):
        compared = ["log_ratio" in answer for answer in group["ordered"]]
        assert compared == ([] if group["id"] == "row-4" else [True, False] * 2)


@pytest.mark.parametrize("path", LAUNCH, ids=lambda path: path.stem)
def test_accelerate_reads_the_launch_configs(path):
    """It knows every key in them."""
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes == 8
    assert str(config.mixed_precision) == "bf16"


def test_there_is_a_launch_config_for_each_setting():
    """Whole models, PyTorch's sharding, and the two DeepSpeed stages of the paper."""
    assert [path.stem for path in LAUNCH] == ["ddp", "fsdp", "zero2", "zero3"]
