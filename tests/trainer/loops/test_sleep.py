"""vLLM in the training process sleeps while weights are updated."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
pytest.importorskip("vllm", reason="needs the heavy environment: vllm is not installed")

import torch

from trainer.config.choices import RolloutEngine
from trainer.config.rl_sections import RolloutSettings
from trainer.loops.rollouts_vllm import VLLMRollouts

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@dataclass
class Engine:
    """Notes what is asked of it, and has weights only when somebody gave it some since it slept."""

    can_sleep: bool
    did: list[str] = field(default_factory=list)

    def load(self, weights):
        names = [name for name, _ in weights]
        self.did.append(f"load {len(names)}")

    def run(self, rows, params):
        self.did.append("run")
        one = SimpleNamespace(token_ids=[7], logprobs=[{7: SimpleNamespace(logprob=-1.0)}])
        return [SimpleNamespace(prompt_token_ids=row.ids, outputs=[one]) for row in rows]

    def sleep(self):
        self.did.append("sleep")

    def wake_up(self, part):
        self.did.append(f"wake {part}")


class Weights:
    def of(self, trainer):
        return iter([("a", torch.zeros(1)), ("b", torch.zeros(1))])


def sample_three_times(engine, *, sleeps):
    """Sample twice in one update and once in the next."""
    settings = RolloutSettings(engine=RolloutEngine.VLLM, vllm_enable_sleep_mode=sleeps)
    rollouts = VLLMRollouts(engine, settings, vision_ids=[1], weights=Weights())
    row = SimpleNamespace(id="row", ids=(1, 2))
    for step in (0, 0, 1):
        clock = SimpleNamespace(phase=lambda name: nullcontext())
        trainer = SimpleNamespace(state=SimpleNamespace(global_step=step), clock=clock)
        assert rollouts.sample(trainer, [row]) == ([[7]], [[-1.0]])
    return engine.did


def test_it_sleeps_between_batches_and_gets_its_weights_whenever_it_wakes():
    """Sleeping discards them, also where the step is the same; the cache comes after them."""
    awake = ["wake weights", "load 2", "wake kv_cache", "run", "sleep"]
    assert sample_three_times(Engine(can_sleep=True), sleeps=True) == ["sleep", *awake * 3]


def test_it_stays_awake_where_nobody_asks_it_to_sleep():
    """Weights are then loaded once per step."""
    did = sample_three_times(Engine(can_sleep=True), sleeps=False)
    assert did == ["load 2", "run", "run", "load 2", "run"]


def test_an_engine_that_cannot_sleep_says_so_once_and_goes_on(caplog):
    """As vLLM on a CPU."""
    with caplog.at_level(logging.WARNING):
        did = sample_three_times(Engine(can_sleep=False), sleeps=True)
    assert did == ["load 2", "run", "run", "load 2", "run"]
    assert caplog.text.count("vLLM cannot sleep on this machine") == 1
