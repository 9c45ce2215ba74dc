"""T-GRPO and GRPO: rewards and advantages by hand, shuffled prompts, failures, counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from harness.errors import UsageError
from harness.schema import Kind
from tests.trainer.checked_trainers import run_grpo, run_tgrpo
from tests.trainer.small_runs import grpo_recipe, row, rows, tgrpo_recipe, write_media
from trainer.algorithms.tgrpo import VideoTGRPOTrainer
from trainer.config.choices import (
    GroupAccuracy,
    Permutation,
)
from trainer.config.rl_sections import RewardUse
from trainer.loops.shuffled_twins import permutation_seed, shuffled_places

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def text(letter):
    return f"<think>so</think>\n<answer>{letter}</answer>"


def says(right, shuffled_right):
    """Answer A (right for row 0) to the first `right` ordered and `shuffled_right` other asks."""

    def say(row_id, shuffled, before):
        return text("A" if before < (shuffled_right if shuffled else right) else "D")

    return say


def group_of_eight(student, tmp_path, **reward):
    """A recipe with G = 8 and G~ = 4, length bonus out of reach, one video row."""
    recipe = tgrpo_recipe(
        student, tmp_path, max_steps=1, per_device_train_batch_size=8, weight_decay=0.0
    )
    return replace(
        recipe,
        rollout=replace(recipe.rollout, num_generations=8, shuffled_group_size=4),
        reward=replace(recipe.reward, **{"length_min": 300, "length_max": 400, **reward}),
    )


def one_group(recipe, tmp_path, say, image=False):
    data = rows(tmp_path / "media", videos=0 if image else 1, images=1 if image else 0)
    run_tgrpo(recipe, tmp_path / "run", data, says=say)
    (line,) = lines(tmp_path / "run" / "completions.jsonl")
    return line, lines(tmp_path / "run" / "metrics.jsonl")[0]


def column(line, name):
    return [answer["rewards"][name] for answer in line["ordered"]]


def test_no_bonus_where_the_shuffled_group_is_more_often_right(student, tmp_path):
    """Ordered 5/8 < shuffled 3/4, mu = 1. Accuracy 1 or 0 plus format 1: rewards 2 (5x), 1 (3x).

    mean = 13/8 = 1.625; unbiased variance = 8/7 * 5/8 * 3/8 * 1 = 0.267857, std = 0.517549;
    advantages 0.375 / 0.517649 = 0.724428 and -0.625 / 0.517649 = -1.207381 (1e-4 is added to std).
    """
    line, metrics = one_group(group_of_eight(student, tmp_path), tmp_path, says(5, 3))
    assert column(line, "temporal_bonus") == [0.0] * 8
    assert [answer["reward"] for answer in line["ordered"]] == [2.0] * 5 + [1.0] * 3
    advantages = [answer["advantage"] for answer in line["ordered"]]
    assert advantages == pytest.approx([0.724428] * 5 + [-1.207381] * 3, abs=1e-5)
    assert [answer["rewards"]["accuracy"] for answer in line["shuffled"]] == [1.0, 1.0, 1.0, 0.0]
    assert metrics["temporal/ordered"] == 5 / 8
    assert metrics["temporal/shuffled"] == 3 / 4
    assert metrics["temporal/gap"] == metrics["temporal/gap/multiple choice"] == 5 / 8 - 3 / 4
    assert metrics["temporal/earned"] == 0
    assert metrics["rewards/temporal_bonus/mean"] == 0


def test_the_mu_of_the_published_code_pays_for_the_same_groups(student, tmp_path):
    """mu = 0.8: 5/8 = 0.625 >= 0.8 * 3/4 = 0.6, so correct answers get 0.3 more: 2.3 and 1.

    mean = (5 * 2.3 + 3) / 8 = 1.8125; std = 1.3 * 0.517549 = 0.672814;
    advantages 0.4875 / 0.672914 = 0.724461 and -0.8125 / 0.672914 = -1.207435.
    """
    recipe = group_of_eight(student, tmp_path, mu=0.8, group_accuracy=GroupAccuracy.MEAN, tau=0.1)
    line, metrics = one_group(recipe, tmp_path, says(5, 3))
    assert column(line, "temporal_bonus") == [1.0] * 5 + [0.0] * 3
    assert [answer["reward"] for answer in line["ordered"]] == pytest.approx([2.3] * 5 + [1.0] * 3)
    advantages = [answer["advantage"] for answer in line["ordered"]]
    assert advantages == pytest.approx([0.724461] * 5 + [-1.207435] * 3, abs=1e-5)
    assert metrics["temporal/earned"] == 1
    assert metrics["rewards/temporal_bonus/mean"] == 5 / 8


def test_a_tie_earns_the_bonus(student, tmp_path):
    """6/8 = 3/4 and mu = 1."""
    line, metrics = one_group(group_of_eight(student, tmp_path), tmp_path, says(6, 3))
    assert column(line, "temporal_bonus") == [1.0] * 6 + [0.0] * 2
    assert metrics["temporal/earned"] == 1


def test_nobody_right_earns_and_teaches_nothing(student, tmp_path):
    """0 >= 0 pays to no one; equal rewards have no spread, so advantages are 0; one update without
    KL leaves the weights as they were."""
    recipe = group_of_eight(student, tmp_path, beta=0.0)
    line, metrics = one_group(recipe, tmp_path, says(0, 0))
    assert column(line, "temporal_bonus") == [0.0] * 8
    assert [answer["advantage"] for answer in line["ordered"]] == [0.0] * 8
    assert metrics["temporal/earned"] == 0
    assert metrics["frac_reward_zero_std"] == 1
    before = load_file(student / "model.safetensors")
    after = load_file(tmp_path / "run" / "checkpoint-1" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_image_has_no_shuffled_group_and_no_bonus(student, tmp_path):
    """The column does not apply: it is null, in no mean, and the group is not compared."""
    recipe = group_of_eight(student, tmp_path)
    line, metrics = one_group(recipe, tmp_path, says(5, 3), image=True)
    assert line["shuffled"] == []
    assert column(line, "temporal_bonus") == [None] * 8
    assert [answer["reward"] for answer in line["ordered"]] == [2.0] * 5 + [1.0] * 3
    assert metrics["temporal/compared"] == 0
    assert "temporal/gap" not in metrics
    assert "rewards/temporal_bonus/mean" not in metrics


def test_the_length_bonus_is_weighted_by_omega(student, tmp_path):
    """The answers are equally long; with the window around them each correct one gets 0.2 more."""
    line, _ = one_group(
        group_of_eight(student, tmp_path, length_min=1, length_max=400), tmp_path, says(5, 3)
    )
    assert column(line, "length_bonus") == [1.0] * 5 + [0.0] * 3
    assert [answer["reward"] for answer in line["ordered"]] == pytest.approx([2.2] * 5 + [1.0] * 3)


@pytest.mark.parametrize(("beyond", "earned"), [(0, 1.0), (1, 0.0)])
def test_the_end_token_counts_for_the_length(student, tmp_path, beyond, earned):
    """An answer of n tokens and its end token is n + 1 long: a window from n + 1 pays, one from
    n + 2 does not."""
    tokenizer = AutoTokenizer.from_pretrained(student)
    length = len(tokenizer(text("A"), add_special_tokens=False)["input_ids"]) + 1
    recipe = group_of_eight(student, tmp_path, length_min=length + beyond, length_max=400)
    line, _ = one_group(recipe, tmp_path, says(8, 4))
    assert {answer["tokens"] for answer in line["ordered"]} == {length}
    assert column(line, "length_bonus") == [earned] * 8


def test_a_group_of_grpo_has_no_shuffled_completions(student, tmp_path):
    """Three columns, no comparison, one prompt per question."""
    recipe = grpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=4)
    data = rows(tmp_path / "media", videos=1, images=0)
    run_grpo(recipe, tmp_path / "run", data, says=says(2, 4))
    (line,) = lines(tmp_path / "run" / "completions.jsonl")
    assert line["shuffled"] == []
    assert set(line["ordered"][0]["rewards"]) == {"accuracy", "format_reward", "length_bonus"}
    metrics = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert metrics["accuracy/multiple choice"] == 0.5
    assert not [name for name in metrics if name.startswith("temporal")]


def test_kl_is_the_k3_estimate_against_the_starting_checkpoint(student, tmp_path):
    """Per token exp(r) - r - 1 with r = log p_ref - log p, averaged over all completion tokens of
    the batch; 0 before the first update, since policy and reference are then one."""
    seen = []

    class Noting(VideoTGRPOTrainer):
        def _compute_loss(self, model, inputs):
            reference = inputs["ref_per_token_logps"]
            mask = inputs["completion_mask"].bool()
            ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
            attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
            self._batch = inputs["rows"]
            with torch.no_grad():
                policy, *_ = self._get_per_token_logps_and_entropies(
                    model, ids, attention, inputs["completion_ids"].shape[1]
                )
            ratio = (reference - policy)[mask]
            seen.append((ratio.exp() - ratio - 1).mean().item())
            return super()._compute_loss(model, inputs)

    recipe = tgrpo_recipe(
        student, tmp_path, max_steps=3, per_device_train_batch_size=8, learning_rate=3e-3
    )
    run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media"), kind=Noting)
    logged = [line["kl"] for line in lines(tmp_path / "run" / "metrics.jsonl")[:3]]
    assert logged == pytest.approx(seen, abs=1e-6)
    assert logged[0] == pytest.approx(0, abs=1e-9)
    assert logged[2] > 1e-6


def test_one_decode_and_one_processor_call_per_distinct_prompt(student, tmp_path):
    """Sixteen completions of three videos and an image, two shuffled ones per video: 4 decodes and
    4 + 3 processor calls. Rollouts, policy and reference each call the vision tower once."""
    calls = []

    class Counting(VideoTGRPOTrainer):
        def train(self, *args, **options):
            for model in (self.model, self.ref_model):
                model.base_model.visual.register_forward_pre_hook(
                    lambda module, args, kwargs: calls.append(len(args[0])), with_kwargs=True
                )
            return super().train(*args, **options)

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    data = rows(tmp_path / "media")
    _, inputs = run_tgrpo(recipe, tmp_path / "run", data, kind=Counting)
    assert (inputs.decodes, inputs.processor_calls) == (4, 4 + 3)
    seen = inputs.build(inputs.start(one.sample for one in data))
    patches = [
        sum(len(one.tensors[name]) for name in one.tensors if name.startswith("pixel"))
        for one in seen
    ]
    rollouts = sum(patches) + sum(patches[:3])
    assert sorted(calls) == sorted([rollouts, sum(patches), sum(patches)])


def test_ordered_and_shuffled_prompts_are_sampled_in_one_call(student, tmp_path):
    """Eight ordered and four shuffled prompts reach the sampler in one call, in that order."""
    batches = []

    class Noting(VideoTGRPOTrainer):
        def _generate_single_turn(self, *args):
            rollouts, self._rollouts = self._rollouts, self
            try:
                self.inner = rollouts
                return super()._generate_single_turn(*args)
            finally:
                self._rollouts = rollouts

        def sample(self, trainer, listed):
            batches.append([one.clips[0].indices for one in listed])
            return self.inner.sample(trainer, listed)

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=8)
    data = rows(tmp_path / "media", videos=2, images=0)
    run_tgrpo(recipe, tmp_path / "run", data, kind=Noting)
    (asked,) = batches
    ordered = [indices == tuple(sorted(indices)) for indices in asked]
    assert ordered == [True] * 8 + [False] * 4
    assert len(set(asked)) == 4  # one permutation for the whole shuffled group of a video


def test_a_failed_rollout_drops_its_whole_group(student, tmp_path, caplog):
    """It has no reward, no advantage and no KL term, and the other group weighs what it would have
    weighed beside a sound one. It is counted in the metrics, and named in the log and among the
    completions."""
    media = write_media(tmp_path / "media", videos=2, images=0)
    data = [row(0, media[0]), row(1, media[1])]
    media[1].path.write_bytes(b"no video")
    recipe = tgrpo_recipe(
        student, tmp_path, max_steps=2, per_device_train_batch_size=8, weight_decay=0.0
    )
    with caplog.at_level("WARNING", logger="trainer"):
        run_tgrpo(recipe, tmp_path / "run", data, says=says(2, 1))
    metrics = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert metrics["failed_groups"] == 1
    assert "row-1 is left out" in caplog.text
    by_id = {line["id"]: line for line in lines(tmp_path / "run" / "completions.jsonl")}
    assert "1.mp4" in by_id["row-1"]["failure"]
    assert by_id["row-1"]["ordered"] == by_id["row-1"]["shuffled"] == []
    assert by_id["row-0"]["failure"] is None
    assert metrics["accuracy/multiple choice"] == 0.5  # of the sound group alone


def test_a_first_reward_that_does_not_apply_drops_no_group(student, tmp_path):
    """Accuracy for OCR alone, on multiple choice: the format still teaches. Half of the answers are
    well-formed, so that there is a gradient."""
    recipe = grpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=4)
    uses = RewardUse(use="accuracy", kinds=(Kind.OCR,)), RewardUse(use="format_reward")
    recipe = replace(recipe, reward=replace(recipe.reward, functions=uses, beta=0.0))
    data = rows(tmp_path / "media", videos=1, images=0)
    run_grpo(recipe, tmp_path / "run", data, says=lambda *at: text("A") + " no" * (at[2] % 2))
    (line,) = lines(tmp_path / "run" / "completions.jsonl")
    assert column(line, "accuracy") == [None] * 4
    assert column(line, "format_reward") == [1.0, 0.0] * 2
    assert lines(tmp_path / "run" / "metrics.jsonl")[0]["grad_norm"] > 0


def test_a_failed_group_shifts_no_other(student, tmp_path):
    """Of three groups whichever fails, the others keep their rewards, shuffled ones and advantages:
    2 of 4 right, a tie with 1 of 2; 2.5 and 1 have a mean of 1.75 and a std of 0.866025, so
    advantages are +-0.75 / 0.866125. KL is 0: policy and reference are still one."""
    for broken in range(3):
        folder = tmp_path / str(broken)
        media = write_media(folder / "media", videos=3, images=0)
        media[broken].path.write_bytes(b"no video")
        data = [row(4 * number, media[number]) for number in range(3)]  # all are answered by A
        recipe = tgrpo_recipe(student, folder, max_steps=1, per_device_train_batch_size=12)
        run_tgrpo(recipe, folder / "run", data, says=says(2, 1))
        for line in lines(folder / "run" / "completions.jsonl"):
            failed = line["id"] == data[broken].sample.id
            assert (line["failure"] is not None) == failed
            found = [(one["reward"], one["advantage"]) for one in line["ordered"]]
            right, wrong = (2.5, 0.865926), (1.0, -0.865926)
            assert found == (
                [] if failed else [pytest.approx(right)] * 2 + [pytest.approx(wrong)] * 2
            )
            shuffled = [one["rewards"]["accuracy"] for one in line["shuffled"]]
            assert shuffled == ([] if failed else [1.0, 0.0])
        metrics = lines(folder / "run" / "metrics.jsonl")[0]
        assert metrics["rewards/accuracy/mean"] == 0.5
        assert metrics["kl"] == pytest.approx(0, abs=1e-9)


def test_only_failed_groups_leave_the_weights_alone(student, tmp_path):
    """Two updates on a file that is no video, KL and all, change nothing."""
    media = write_media(tmp_path / "media", videos=1, images=0)
    media[0].path.write_bytes(b"no video")
    recipe = tgrpo_recipe(
        student, tmp_path, max_steps=2, per_device_train_batch_size=4, weight_decay=0.0
    )
    run_tgrpo(recipe, tmp_path / "run", [row(0, media[0])])
    before = load_file(student / "model.safetensors")
    after = load_file(tmp_path / "run" / "checkpoint-2" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("unit", Permutation)
def test_both_units_of_permutation_train(student, tmp_path, unit):
    """Rollouts of the policy itself; shuffled prompts differ from theirs in order alone."""
    recipe = tgrpo_recipe(student, tmp_path, max_steps=1)
    recipe = replace(recipe, rollout=replace(recipe.rollout, permutation=unit))
    run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media", videos=2, images=0))
    found = lines(tmp_path / "run" / "completions.jsonl")
    assert [len(line["ordered"]) for line in found] == [4, 4]
    assert [len(line["shuffled"]) for line in found] == [2, 2]


def test_a_group_that_does_not_fill_the_batch_is_refused(student, tmp_path):
    """6 completions per update cannot hold groups of 4."""
    recipe = tgrpo_recipe(
        student, tmp_path, per_device_train_batch_size=3, gradient_accumulation_steps=2
    )
    with pytest.raises(UsageError, match=r"num_generations 4 does not divide the 6 completions"):
        run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media"))


@pytest.mark.parametrize(("size", "shuffled"), [(8, 4), (8, 3), (4, 4), (5, 2), (4, 6), (5, 17)])
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 40])
def test_every_group_gets_its_shuffled_ones_wherever_processes_cut_it(size, shuffled, cut):
    """Processes of `cut` completions each see their part of 40 and agree on the whole."""
    places = [
        place
        for start in range(0, 40, cut)
        for place in shuffled_places(range(start, min(40, start + cut)), size, shuffled)
    ]
    assert places == shuffled_places(range(40), size, shuffled)
    counts = [sum(place // size == group for place in places) for group in range(40 // size)]
    assert set(counts) == {shuffled}


def test_permutations_change_from_step_to_step():
    """And depend on seed and row, and on nothing else."""
    seeds = {
        permutation_seed(seed, step, name) for seed in (0, 1) for step in (0, 1) for name in "ab"
    }
    assert len(seeds) == 8
    assert permutation_seed(0, 0, "a") == permutation_seed(0, 0, "a")
