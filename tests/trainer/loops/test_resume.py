"""Killed at a checkpoint and resumed: the same run, to the last bit."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from dataclasses import replace
from functools import partial

import torch
from safetensors.torch import load_file

from harness.errors import CheckpointError
from tests.trainer.kills import KillAt, Killed
from tests.trainer.small_runs import (
    grpo_recipe,
    load_small,
    row,
    sft_recipe,
    tgrpo_recipe,
    train_small,
    write_media,
)
from tests.trainer.times import is_time
from trainer.algorithms import (
    grpo,
    sft,
    tgrpo,
)
from trainer.config.sections import LoraSettings
from trainer.loops.model import restore_weights
from trainer.runs.checkpoints import newest_checkpoint

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def lines(path):
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if not is_time(name)} for line in found]


def state_of(checkpoint):
    (weights,) = checkpoint.glob("*.safetensors")
    optimizer = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"]
    moments = {
        f"{number}.{name}": value
        for number, moment in optimizer.items()
        for name, value in moment.items()
    }
    return {**load_file(weights), **moments}


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


LORA = LoraSettings(r=2, lora_alpha=4)


@pytest.mark.parametrize(
    ("algorithm", "lora", "killed", "trl"),
    [
        ("sft", None, 3, {}),
        ("sft", LORA, 4, {}),
        ("grpo", None, 4, {}),
        ("grpo", None, 4, {"num_iterations": 2}),
        ("tgrpo", LORA, 3, {}),
        ("tgrpo", None, 6, {}),
    ],
)
def test_a_killed_run_resumes_to_the_same_result(student, tmp_path, algorithm, lora, killed, trl):
    """Weights, optimizer, data order, metrics and every rollout equal those of a run of 7 updates
    that nobody killed. An epoch has 3 updates: the newest checkpoint is of the first, the second,
    or of the end of the second one."""
    media = write_media(tmp_path / "media")
    data = [row(number, media[number % 4]) for number in range(6)]  # 1.5 epochs and more
    train = partial(train_small, {"sft": sft, "grpo": grpo, "tgrpo": tgrpo}[algorithm])
    make = {"sft": sft_recipe, "grpo": grpo_recipe, "tgrpo": tgrpo_recipe}[algorithm]
    recipe = make(
        student,
        tmp_path,
        max_steps=7,
        save_steps=3 if killed == 6 else 2,
        per_device_train_batch_size=1 if algorithm == "sft" else 4,
        gradient_accumulation_steps=2,
    )
    recipe = replace(recipe, model=replace(recipe.model, lora=lora), trl=trl)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(recipe, whole, rows=data)
    with pytest.raises(Killed):
        train(recipe, cut, rows=data, callbacks=[KillAt(killed)])
    assert newest_checkpoint(cut) == cut / f"checkpoint-{killed if killed != 3 else 2}"
    train(recipe, cut, rows=data)
    assert_equal(state_of(cut / "checkpoint-7"), state_of(whole / "checkpoint-7"))
    assert lines(cut / "metrics.jsonl") == lines(whole / "metrics.jsonl")
    if algorithm != "sft":
        assert lines(cut / "completions.jsonl") == lines(whole / "completions.jsonl")
        groups = lines(whole / "completions.jsonl")
        assert len({line["id"] for line in groups}) > 3 or trl
        assert any(answer["advantage"] for line in groups for answer in line["ordered"])


def test_another_seed_gives_other_weights(student, tmp_path):
    """Otherwise the equality above would prove nothing."""
    media = write_media(tmp_path / "media")
    data = [row(number, media[number % 4]) for number in range(6)]
    states = []
    for seed in (0, 1):
        recipe = tgrpo_recipe(
            student, tmp_path, max_steps=2, save_steps=2, per_device_train_batch_size=8, seed=seed
        )
        train_small(tgrpo, recipe, tmp_path / str(seed), rows=data)
        states.append(state_of(tmp_path / str(seed) / "checkpoint-2"))
    name = next(name for name in states[0] if name.endswith("down_proj.weight"))
    assert not torch.equal(states[0][name], states[1][name])


def test_weights_are_restored_from_a_checkpoint_with_older_names(student, untrained):
    """Qwen2.5-VL saves ``visual.*`` where the model has ``model.visual.*``; loading by name and
    without strictness, as transformers' Trainer does, would change nothing."""
    taught, fresh = load_small(student).model, load_small(untrained).model
    saved = load_file(student / "model.safetensors")
    assert not set(saved) & {name for name in fresh.state_dict() if "lm_head" not in name}
    restore_weights(fresh, student)
    assert_equal(dict(fresh.state_dict()), dict(taught.state_dict()))


def test_a_checkpoint_that_lacks_weights_is_refused(student, untrained, tmp_path):
    """Otherwise the missing weights would be random."""
    from safetensors.torch import save_file

    for file in student.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(student / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 missing keys, first lm_head\.weight"):
        restore_weights(load_small(untrained).model, tmp_path)
