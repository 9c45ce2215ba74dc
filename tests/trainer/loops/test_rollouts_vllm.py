"""Rollouts through vLLM: native video, weights that follow the training, one batch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
pytest.importorskip("vllm", reason="needs the heavy environment: vllm is not installed")

from tests.trainer.checked_trainers import CheckingTGRPO, run_tgrpo
from tests.trainer.small_runs import rows, tgrpo_recipe
from trainer.config.choices import RolloutEngine
from trainer.config.sections import LoraSettings

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.mark.parametrize("lora", [None, LoraSettings(r=2, lora_alpha=4)], ids=["full", "lora"])
def test_vllm_samples_from_the_policy_of_the_step_with_the_video_in_view(
    student, tmp_path, monkeypatch, lora
):
    """vLLM's log-probabilities equal the trainer's, in the third step as in the first:
    to 1e-3, where a blind or a stale sampler is off by far more.
    """
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    recipe = tgrpo_recipe(
        student, tmp_path, max_steps=3, per_device_train_batch_size=8, learning_rate=1e-2
    )
    recipe = replace(
        recipe,
        model=replace(recipe.model, lora=lora),
        rollout=replace(recipe.rollout, engine=RolloutEngine.VLLM),
    )
    data = rows(tmp_path / "media", videos=2, images=1)
    trainer, _ = run_tgrpo(recipe, tmp_path / "run", data, kind=CheckingTGRPO)
    assert trainer.largest < 1e-5
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()][:3]
    for line in metrics:
        assert line["sampling/sampling_logp_difference/max"] < 1e-3
    assert metrics[2]["kl"] > 1e-4  # the policy has moved by then
    groups = [json.loads(line) for line in (tmp_path / "run" / "completions.jsonl").open()]
    videos = [line for line in groups if line["media"][0].endswith(".mp4")]
    assert all(len(line["shuffled"]) == 2 for line in videos)
    texts = [answer["text"] for line in groups for answer in line["ordered"]]
    assert len(set(texts)) > 3
