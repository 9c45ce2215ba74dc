"""Rows with several images and videos between their texts train like all others."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from tests.trainer.checked_trainers import Checking, CheckingTGRPO, run_grpo, run_tgrpo
from tests.trainer.loops.test_resume import lines
from tests.trainer.small_runs import (
    grpo_recipe,
    row,
    sft_recipe,
    tgrpo_recipe,
    train_small,
    write_media,
)
from trainer.algorithms import sft
from trainer.algorithms.grpo import VideoGRPOTrainer

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


class CheckingGRPO(Checking, VideoGRPOTrainer):
    """GRPO that checks its log-probabilities."""


def mixed(folder):
    """Two interleaved rows, one with two videos first, and one with a single video."""
    first, second, red, green = write_media(folder, videos=2, images=2)
    asked = "First <image> then <video>, last <image>: which way? "
    return [
        showing(row(0, first, question=asked), red, first, green),
        showing(row(1, first, question=asked), green, second, red),
        showing(row(2, first), first, second),
        row(3, second),
    ]


def showing(one, *media):
    return replace(one, sample=replace(one.sample, media=media))


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("algorithm", ["grpo", "tgrpo"])
def test_every_log_probability_is_that_of_a_single_row(student, tmp_path, algorithm, share):
    """Packed rows and copies of prompts, images and videos at their places in the text."""
    make = {"grpo": grpo_recipe, "tgrpo": tgrpo_recipe}[algorithm]
    recipe = make(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    recipe = replace(recipe, rollout=replace(recipe.rollout, share_prompt=share))
    data = mixed(tmp_path / "media")
    if algorithm == "grpo":
        trainer = run_grpo(recipe, tmp_path / "run", data, kind=CheckingGRPO)
    else:
        trainer, _ = run_tgrpo(recipe, tmp_path / "run", data, kind=CheckingTGRPO)
    assert trainer.shares_prompts is share
    assert trainer.compared > 100
    assert trainer.largest < 1e-5
    groups = lines(tmp_path / "run" / "completions.jsonl")
    by_id = {group["id"]: group for group in groups}
    assert len(by_id["row-0"]["media"]) == 3
    assert "First <image> then <video>, last <image>" in by_id["row-0"]["question"]
    assert all(group["failure"] is None for group in groups)


def test_supervised_fine_tuning_takes_them(student, tmp_path):
    """Its loss falls."""
    recipe = sft_recipe(student, tmp_path, max_steps=6, save_steps=6, per_device_train_batch_size=4)
    train_small(sft, recipe, tmp_path / "run", rows=mixed(tmp_path / "media"))
    losses = [line["loss"] for line in lines(tmp_path / "run" / "metrics.jsonl") if "loss" in line]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
