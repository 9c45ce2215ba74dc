"""Groups without spread are replaced before an update: full batches, gradients by hand, resume."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from transformers import TrainerCallback

from tests.trainer.checked_trainers import run_grpo, run_tgrpo
from tests.trainer.kills import KillAt, Killed
from tests.trainer.loops.test_resume import (
    assert_equal,
    lines,
    state_of,
)
from tests.trainer.small_runs import (
    checkpoint_of,
    grpo_recipe,
    load_small,
    seven_rows,
    tgrpo_recipe,
    train_small,
)
from trainer.algorithms import grpo, tgrpo
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]

RUN = {"grpo": run_grpo, "tgrpo": run_tgrpo}
MAKE = {"grpo": grpo_recipe, "tgrpo": tgrpo_recipe}


def says(spread):
    """Half of the answers are right in rows of `spread`, all in the others."""

    def say(row_id, shuffled, before):
        number = int(row_id.removeprefix("row-"))
        right = number not in spread or before % 2 == 0
        return f"<think>so</think>\n<answer>{'ABCD'[number % 4] if right else 'E'}</answer>"

    return say


def filtering(recipe, **rollout):
    return replace(recipe, rollout=replace(recipe.rollout, filter_groups=True, **rollout))


class KeepGradient(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        self.gradient = {
            name: weight.grad.clone() for name, weight in model.named_parameters()
            if weight.grad is not None
        }  # fmt: skip


def gradient_by_hand(recipe, data, kept, places):
    """Differentiate -1/N sum A_i mean_t log p(t) over the completions of the kept groups alone.

    Args:
        recipe: The recipe.
        data: The rows.
        kept: Lines of completions.jsonl.
        places: N, completions of a full batch.
    """
    loaded = load_small(recipe.model.checkpoint)
    rows = {one.sample.id: one.sample for one in data}
    loss = torch.tensor(0.0)
    with ClipLoader(
        recipe.frames, recipe.data, patch_multiple=checkpoint_of(recipe).patch_multiple
    ) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=64)
        for line in kept:
            (prompt,) = inputs.build(inputs.start([rows[line["id"]]]))
            rewards = [answer["reward"] for answer in line["ordered"]]
            mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
            for answer, reward in zip(line["ordered"], rewards, strict=True):
                ids = loaded.processor.tokenizer(answer["text"])["input_ids"]
                ids = [*ids, loaded.processor.tokenizer.eos_token_id]
                advantage = (reward - mean) / (spread + 1e-4)
                loss = loss - advantage * logps(loaded.model, prompt, ids).mean() / places
    loss.backward()
    return {
        name: weight.grad
        for name, weight in loaded.model.named_parameters()
        if weight.grad is not None
    }


def logps(model, prompt, completion):
    ids = torch.tensor([[*prompt.ids, *completion]])
    types = torch.zeros_like(ids)
    types[ids == model.config.image_token_id] = 1
    types[ids == model.config.video_token_id] = 2
    logits = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=types,
        **prompt.tensors,
    ).logits[0]
    scores = logits[len(prompt.ids) - 1 : -1].log_softmax(dim=-1)
    return scores.gather(1, torch.tensor(completion)[:, None])[:, 0]


@pytest.mark.parametrize(
    ("algorithm", "spread", "unfilled"),
    [("grpo", {2, 5}, 0), ("tgrpo", {1, 5}, 0), ("grpo", {4}, 1)],
)
def test_the_gradient_is_that_of_the_kept_groups(student, tmp_path, algorithm, spread, unfilled):
    """Only these rows of seven have different rewards: they fill the batch of two groups; where one
    place stays unfilled, its group has no gradient and the others keep their weight of 1/8."""
    recipe = MAKE[algorithm](
        student, tmp_path, max_steps=1, per_device_train_batch_size=8, max_grad_norm=1e9
    )
    recipe = filtering(replace(recipe, reward=replace(recipe.reward, beta=0.0)))
    data = seven_rows(tmp_path)
    keep = KeepGradient()
    RUN[algorithm](recipe, tmp_path / "run", data, says=says(spread), callbacks=[keep])
    groups = lines(tmp_path / "run" / "completions.jsonl")
    kept = [group for group in groups if group["left_out"] is None]
    assert {group["id"] for group in kept} == {f"row-{number}" for number in spread}
    assert len(groups) <= 7
    assert len({group["id"] for group in groups}) == len(groups)
    by_hand = gradient_by_hand(recipe, data, kept, places=8)
    assert keep.gradient.keys() == by_hand.keys()
    for name, gradient in by_hand.items():
        torch.testing.assert_close(keep.gradient[name], gradient, atol=1e-5, rtol=1e-4)
    assert max(gradient.abs().max() for gradient in by_hand.values()) > 1e-3
    metrics = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert metrics["filter/asked_groups"] == len(groups)
    assert metrics["filter/unfilled_groups"] == unfilled
    out = [group for group in groups if group["left_out"] == "its rewards are equal"]
    assert metrics["filter/filtered"] == pytest.approx(len(out) / len(groups))
    assert metrics["filter/rounds"] > 1
    if not unfilled:
        assert metrics["frac_reward_zero_std"] == 0


def test_the_bound_ends_the_rounds(student, tmp_path):
    """One further round: the places that are then unfilled stay so, and nothing is learnt."""
    recipe = grpo_recipe(
        student, tmp_path, max_steps=1, per_device_train_batch_size=8, weight_decay=0.0
    )
    recipe = filtering(recipe, max_filter_rounds=1)
    keep = KeepGradient()
    run_grpo(recipe, tmp_path / "run", seven_rows(tmp_path), says=says(set()), callbacks=[keep])
    metrics = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert (metrics["filter/rounds"], metrics["filter/unfilled_groups"]) == (2, 2)
    assert all(not gradient.any() for gradient in keep.gradient.values())


@pytest.mark.parametrize("algorithm", ["grpo", "tgrpo"])
def test_a_killed_run_with_filtered_groups_resumes_to_the_same_result(student, tmp_path, algorithm):
    """Weights, optimizer, metrics, and every group that was asked, also those left out. GRPO scales
    its advantages by problem type: the moving means go on, too."""
    data = seven_rows(tmp_path)
    recipe = MAKE[algorithm](
        student, tmp_path, max_steps=4, save_steps=2, per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
    )  # fmt: skip
    decay = 0.9 if algorithm == "grpo" else None
    # Rewards of the letter alone: groups are often without spread.
    reward = replace(recipe.reward, format_weight=0.0, length_weight=0.0, task_ema_decay=decay)
    recipe = filtering(replace(recipe, reward=reward), max_filter_rounds=2)
    algorithm_module = {"grpo": grpo, "tgrpo": tgrpo}[algorithm]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_small(algorithm_module, recipe, whole, rows=data)
    with pytest.raises(Killed):
        train_small(algorithm_module, recipe, cut, rows=data, callbacks=[KillAt(3)])
    train_small(algorithm_module, recipe, cut, rows=data)
    assert_equal(state_of(cut / "checkpoint-4"), state_of(whole / "checkpoint-4"))
    assert lines(cut / "metrics.jsonl") == lines(whole / "metrics.jsonl")
    assert lines(cut / "completions.jsonl") == lines(whole / "completions.jsonl")
    logged = [line for line in lines(whole / "metrics.jsonl") if "filter/rounds" in line]
    assert max(line["filter/rounds"] for line in logged) > 1
    assert ("task_ema/multiple choice" in logged[-1]) == (algorithm == "grpo")
    for line in lines(whole / "completions.jsonl"):
        if decay is not None and line["left_out"] is None:
            assert_scaled(line, logged[line["step"] - 1]["task_ema/multiple choice"])


def assert_scaled(group, deviation):
    """A = (r - mean) / (deviation of the problem type + 1e-6), as no group is beyond the guard."""
    rewards = [answer["reward"] for answer in group["ordered"]]
    by_hand = [(one - statistics.fmean(rewards)) / (deviation + 1e-6) for one in rewards]
    assert [answer["advantage"] for answer in group["ordered"]] == pytest.approx(by_hand, rel=1e-5)
