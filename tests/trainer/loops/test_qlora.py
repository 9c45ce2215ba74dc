"""QLoRA: frozen linear layers in 4 bits, an adapter that learns, a run that resumes."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
pytest.importorskip("bitsandbytes", reason="no environment of the tests installs bitsandbytes")

import torch

from tests.trainer.kills import KillAt, Killed
from tests.trainer.loops.test_resume import assert_equal, lines, state_of
from tests.trainer.small_runs import (
    checkpoint_of,
    grpo_recipe,
    row,
    sft_recipe,
    train_small,
    write_media,
)
from trainer.algorithms import grpo, sft
from trainer.config.sections import LoraSettings
from trainer.loops.model import load

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def in_4_bits(recipe):
    lora = LoraSettings(r=2, lora_alpha=4)
    return replace(recipe, model=replace(recipe.model, lora=lora, load_in_4bit=True))


def test_linear_layers_of_the_language_model_are_in_4_bits(student, tmp_path):
    """Vision tower, embeddings, norms and head are not."""
    recipe = in_4_bits(sft_recipe(student, tmp_path))
    model = load(checkpoint_of(recipe), recipe.model).model
    packed = {name for name, weight in model.named_parameters() if weight.dtype == torch.uint8}
    layers = {
        name
        for name, weight in model.named_parameters()
        if name.endswith("_proj.weight") and ".language_model." in name
    }
    assert packed == layers
    assert packed


@pytest.mark.parametrize("algorithm", ["sft", "grpo"])
def test_it_learns_and_resumes(student, tmp_path, algorithm):
    """The adapter changes, and a killed run ends with that of a whole one."""
    media = write_media(tmp_path / "media")
    data = [row(number, media[number % 4]) for number in range(6)]
    make, module = {"sft": (sft_recipe, sft), "grpo": (grpo_recipe, grpo)}[algorithm]
    recipe = in_4_bits(make(student, tmp_path, max_steps=3, save_steps=1))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_small(module, recipe, whole, rows=data)
    with pytest.raises(Killed):
        train_small(module, recipe, cut, rows=data, callbacks=[KillAt(2)])
    train_small(module, recipe, cut, rows=data)
    ours, theirs = state_of(cut / "checkpoint-3"), state_of(whole / "checkpoint-3")
    assert_equal(ours, theirs)
    assert lines(cut / "metrics.jsonl") == lines(whole / "metrics.jsonl")
    assert any(weight.any() for name, weight in theirs.items() if "lora_B" in name)
