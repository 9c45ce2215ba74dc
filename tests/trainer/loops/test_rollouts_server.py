"""Rollouts of servers: the same frames, the weights of the step, a batch ahead, a lost server.

The servers are small ones of these tests (`tests.trainer.served_policy`) behind real HTTP; the one
of vLLM is in tests/engines/test_server.py.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from transformers import TrainerCallback

from harness.errors import BackendError
from tests.trainer.checked_trainers import CheckingTGRPO, run_grpo, run_tgrpo
from tests.trainer.loops.test_resume import KillAt, Killed, assert_equal, lines, state_of
from tests.trainer.served_policy import ServedPolicy
from tests.trainer.small_runs import grpo_recipe, rows, tgrpo_recipe, train_small
from trainer.algorithms import grpo
from trainer.config.choices import RolloutEngine
from trainer.config.sections import LoraSettings

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def servers(untrained):
    """Start servers of the tiny model; all end with the test."""
    started = []

    def start(count=1):
        started.extend(ServedPolicy(untrained) for _ in range(count))
        return started[-count:]

    yield start
    for server in started:
        server.die()


def with_servers(recipe, servers, **changes):
    """Return the recipe with these servers, and with weights that change in every update: what the
    untrained model answers earns nothing, but it decays."""
    return replace(
        recipe,
        optim=replace(recipe.optim, weight_decay=2.0),
        rollout=replace(
            recipe.rollout,
            engine=RolloutEngine.VLLM_SERVER,
            servers=tuple(server.url for server in servers),
            **{"vllm_server_timeout": 5.0, "max_completion_length": 8, **changes},
        ),
    )


def metrics_of(run):
    return [line for line in lines(run / "metrics.jsonl") if "loss" in line]


@pytest.mark.parametrize("lora", [None, LoraSettings(r=2, lora_alpha=4)], ids=["full", "lora"])
def test_a_server_has_the_frames_and_the_weights_of_the_step(untrained, servers, tmp_path, lora):
    """Its log-probabilities equal the trainer's to 1e-4 in every step, images and shuffled videos
    included; each prompt is asked once for all of its completions."""
    (server,) = servers()
    recipe = with_servers(tgrpo_recipe(untrained, tmp_path, max_steps=3), [server])
    recipe = replace(recipe, model=replace(recipe.model, lora=lora))
    out = tmp_path / "run"
    trainer, _ = run_tgrpo(recipe, out, rows(tmp_path / "media", 2, 1), kind=CheckingTGRPO)
    assert trainer.largest < 1e-5
    for line in metrics_of(out):
        assert line["sampling/sampling_logp_difference/max"] < 1e-4
    assert metrics_of(out)[2]["kl"] > 1e-4 or lora  # the policy has moved by then
    assert server.loads == ["step-0", "step-1", "step-2"]
    assert {"reset_encoder_cache", "reset_prefix_cache"} <= set(server.forgotten)
    groups = lines(out / "completions.jsonl")
    shuffled = sum(len(one["shuffled"]) for one in groups)
    assert sorted({n for _, _, _, n in server.asked}) == [2, 4]
    assert sum(n for _, _, _, n in server.asked) == 4 * len(groups) + shuffled
    assert not (out / "rollout-weights").exists()


class Hold(TrainerCallback):
    """Lets a server answer once the trainer has made its n-th update."""

    def __init__(self):
        self.updates = {number: threading.Event() for number in range(1, 9)}

    def on_step_end(self, args, state, control, **_):
        self.updates[state.global_step].set()


def test_the_next_batch_is_sampled_while_the_present_one_is_trained(untrained, servers, tmp_path):
    """The server answers the n-th batch only once the update before it is made; its weights are
    those of one update earlier, and the ratio that corrects for that is not 1."""
    (server,) = servers()
    hold = Hold()
    late = []

    def wait(number):  # two prompts a batch
        if number >= 2 and not hold.updates[number // 2].wait(60):
            late.append(number)

    server.before = wait
    recipe = with_servers(grpo_recipe(untrained, tmp_path, max_steps=4), [server], ahead=1)
    out = tmp_path / "run"
    data = rows(tmp_path / "media", 3, 1)
    train_small(grpo, recipe, out, rows=data, callbacks=[hold])
    assert late == []
    assert [weights for _, weights, _, _ in server.asked] == [
        "step-0", "step-0", "step-0", "step-0", "step-1", "step-1", "step-2", "step-2",
    ]  # fmt: skip
    first, *others = metrics_of(out)
    assert first["sampling/sampling_logp_difference/max"] < 1e-4
    for line in others:
        assert line["sampling/sampling_logp_difference/max"] > 1e-3
        assert line["sampling/importance_sampling_ratio/max"] != 1
    server.before = lambda number: None
    in_turns = tmp_path / "in-turns"
    train_small(grpo, with_servers(recipe, [server], ahead=0), in_turns, rows=data)
    assert [line["id"] for line in lines(out / "completions.jsonl")] == [
        line["id"] for line in lines(in_turns / "completions.jsonl")
    ]  # the same prompts, of both epochs, in the same order


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_killed_run_resumes_to_the_same_result(untrained, servers, tmp_path, ahead):
    """What was under way when the checkpoint was saved is in it and is not asked again; another
    server may go on."""
    server, other = servers(2)
    recipe = with_servers(
        grpo_recipe(untrained, tmp_path, max_steps=5, save_steps=2), [server], ahead=ahead
    )
    data = rows(tmp_path / "media", 3, 1)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_small(grpo, recipe, whole, rows=data)
    with pytest.raises(Killed):
        train_small(grpo, recipe, cut, rows=data, callbacks=[KillAt(3)])
    train_small(grpo, with_servers(recipe, [other]), cut, rows=data)
    assert len(other.asked) == 2 * (3 - ahead)  # the first of three batches was kept
    assert_equal(state_of(cut / "checkpoint-5"), state_of(whole / "checkpoint-5"))
    assert lines(cut / "metrics.jsonl") == lines(whole / "metrics.jsonl")
    assert lines(cut / "completions.jsonl") == lines(whole / "completions.jsonl")
    assert (cut / "checkpoint-2" / "rollouts-0.json").exists() == bool(ahead)
    assert not (cut / "checkpoint-5" / "rollouts-0.json").exists()


def test_the_prompts_of_a_lost_server_go_to_the_others(untrained, servers, tmp_path, caplog):
    """The update is whole; the server is named, and has its part again once it is back."""
    stays, goes = servers(2)

    def die_in_second_update(number):
        if number == 1:
            goes.die()
            raise BrokenPipeError

    goes.before = die_in_second_update

    class Restart(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 2:
                goes.restart()

    recipe = with_servers(grpo_recipe(untrained, tmp_path, max_steps=3), [stays, goes])
    out = tmp_path / "run"
    with caplog.at_level(logging.WARNING):
        train_small(grpo, recipe, out, rows=rows(tmp_path / "media", 3, 1), callbacks=[Restart()])
    assert f"the rollout server {goes.url} is lost" in caplog.text
    assert f"its prompts go to {stays.url}" in caplog.text
    assert f"the rollout server {goes.url} is back" in caplog.text
    assert [weights for _, weights, _, _ in stays.asked] == ["step-0", "step-1", "step-1", "step-2"]
    assert [weights for _, weights, _, _ in goes.asked] == ["step-0", "step-1", "step-2"]
    for line in metrics_of(out):
        assert line["sampling/sampling_logp_difference/max"] < 1e-4


def test_without_any_server_a_run_ends_with_their_names_and_resumes(untrained, servers, tmp_path):
    """A server that comes back within the time gets the weights before it is asked again."""
    (server,) = servers()
    recipe = with_servers(
        grpo_recipe(untrained, tmp_path, max_steps=3, save_steps=1),
        [server],
        vllm_server_timeout=1.5,
    )
    data = rows(tmp_path / "media", 3, 1)

    def die_in_second_update(number):
        if number == 2:
            server.die()
            raise BrokenPipeError

    server.before = die_in_second_update
    out = tmp_path / "run"
    with pytest.raises(
        BackendError, match=rf"no rollout server has answered for 1.5 s .{server.url}"
    ):
        train_small(grpo, recipe, out, rows=data)
    server.before = lambda number: None
    server.restart()
    train_small(grpo, recipe, out, rows=data)
    assert [line["step"] for line in metrics_of(out)] == [1, 2, 3]
    assert [weights for _, weights, _, _ in server.asked][-2:] == ["step-2", "step-2"]


def test_a_restarted_server_gets_the_weights_before_it_is_asked(untrained, servers, tmp_path):
    """Otherwise it would sample with the weights of its checkpoint."""
    (server,) = servers()

    def restart_in_second_update(number):
        if number == 2:
            while len(server.asked) < 4:  # both questions are under way: vLLM starts for longer
                time.sleep(0.01)
            server.die()
            server.restart()
            raise BrokenPipeError

    server.before = restart_in_second_update
    recipe = with_servers(grpo_recipe(untrained, tmp_path, max_steps=2), [server])
    out = tmp_path / "run"
    run_grpo(recipe, out, rows(tmp_path / "media", 3, 1))
    assert server.loads == ["step-0", "step-1", "step-1"]  # the last one after the restart
    assert metrics_of(out)[1]["sampling/sampling_logp_difference/max"] < 1e-4


def test_a_server_of_another_checkpoint_is_refused(untrained, servers, tmp_path):
    """A prompt that has other tokens there would be trained on as if it had these."""
    (server,) = servers()
    template = server.processor.chat_template
    server.processor.chat_template = template.replace("assistant", "user")
    recipe = with_servers(grpo_recipe(untrained, tmp_path, max_steps=1), [server])
    with pytest.raises(BackendError, match=r"row row-\d: the prompt of \d+ tokens of the server"):
        train_small(grpo, recipe, tmp_path / "run", rows=rows(tmp_path / "media", 3, 1))


def test_a_server_that_does_not_see_the_weights_is_told_apart(untrained, servers, tmp_path):
    """It would wait in vain."""
    (server,) = servers()
    server.load_trained_weights = lambda folder: {
        "error": f"the server sees no weights in {folder}"
    }
    recipe = with_servers(
        grpo_recipe(untrained, tmp_path, max_steps=1), [server], weights_folder=tmp_path / "shared"
    )
    with pytest.raises(
        BackendError, match=r"sees no weights in .*shared.run-.*rollout.weights_folder"
    ):
        train_small(grpo, recipe, tmp_path / "run", rows=rows(tmp_path / "media", 3, 1))
