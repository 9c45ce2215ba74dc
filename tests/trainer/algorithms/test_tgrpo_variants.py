"""T-GRPO's variants and the published bonus: gradients, likelihoods, advantages in training."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import av
import numpy as np
import torch
from transformers import AutoProcessor

from tests.trainer.checked_trainers import (
    CheckingEvidence,
    run_contrast,
    run_evidence,
    run_gap,
    run_grpo,
    run_tgrpo,
)
from tests.trainer.small_runs import (
    OPTIONS,
    contrast_recipe,
    evidence_recipe,
    gap_recipe,
    grpo_recipe,
    load_small,
    row,
    rows,
    tgrpo_recipe,
    unscaled_recipe,
    write_media,
)
from tests.trainer.work_counts import count_work
from trainer.algorithms.grpo import VideoGRPOTrainer
from trainer.algorithms.tgrpo_contrast import VideoContrastTrainer
from trainer.algorithms.tgrpo_evidence import VideoEvidenceTrainer, answer_tokens
from trainer.config.choices import EvidenceTokens
from trainer.config.sections import LoraSettings
from trainer.loops.likelihoods import split_by_prompt
from trainer.rewards.advantages import AdvantageRule, group_advantages
from trainer.rewards.temporal import evidence_share

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
VARIANTS = {
    "evidence": (evidence_recipe, run_evidence),
    "contrast": (contrast_recipe, run_contrast),
    "gap": (gap_recipe, run_gap),
    "published": (tgrpo_recipe, run_tgrpo),
}
DESCENT = {
    "learning_rate": 1.0,
    "max_steps": 1,
    "weight_decay": 0.0,
    "max_grad_norm": 1e6,
    "per_device_train_batch_size": 16,
    "save_steps": 100,
}
"""One step of plain gradient descent: the weights differ by the gradient."""


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def says(row_id, shuffled, before):
    """Half of the answers, ordered and shuffled, are right; in words that the student writes."""
    number = (int(row_id[-1]) + before % 2) % 4
    return f"<think>It goes {OPTIONS[number]}.</think>\n<answer>{'ABCD'[number]}</answer>"


def descend(recipe, tmp_path, run, name, **options):
    """Return the trainer and the change of all weights in one update, as one vector."""
    recipe = replace(recipe, trl={**recipe.trl, "optim": "sgd"})
    ran = run(recipe, tmp_path / name, rows(tmp_path / "media"), **{"says": says, **options})
    trainer = ran[0] if isinstance(ran, tuple) else ran
    before = dict(load_small(recipe.model.checkpoint).model.named_parameters())
    after = dict(trainer.model.named_parameters())
    return trainer, torch.cat([(after[n] - before[n]).detach().flatten() for n in sorted(after)])


def without_lengths(recipe):
    """One format and no length bonus: the rewards differ by the accuracy alone."""
    reward = replace(recipe.reward, length_min=300, length_max=400, beta=0.0)
    return replace(recipe, reward=reward)


def test_the_published_gradient_is_that_of_grpo(student, tmp_path):
    """On groups of 0-or-1 accuracy and one format, every group earning the bonus: to 1e-3. Without
    the division by the group's deviation the bonus makes it 1.3 times as large for the videos, and
    the log of each run says by how much its bonus changed the advantages."""
    plain = without_lengths(grpo_recipe(student, tmp_path, **DESCENT))
    _, grpo = descend(plain, tmp_path, run_grpo, "grpo")
    published = without_lengths(tgrpo_recipe(student, tmp_path, **DESCENT))
    _, found = descend(published, tmp_path, run_tgrpo, "published")
    assert (found - grpo).norm() < 1e-3 * grpo.norm()
    assert grpo.norm() > 1e-3
    (log, *_) = lines(tmp_path / "published" / "metrics.jsonl")
    assert log["temporal/earned"] == 1
    assert log["effect/temporal_bonus"] < 1e-4
    assert log["effect/temporal_bonus/groups"] == 0

    plain = replace(plain, trl={"scale_rewards": "none"})
    _, grpo = descend(plain, tmp_path, run_grpo, "grpo-none")
    unscaled = without_lengths(unscaled_recipe(student, tmp_path, **DESCENT))
    _, found = descend(unscaled, tmp_path, run_tgrpo, "unscaled")
    assert (found - grpo).norm() > 0.05 * grpo.norm()
    (log, *_) = lines(tmp_path / "unscaled" / "metrics.jsonl")
    # Three of four groups are of videos: 0.3 * sqrt(3 / 4) of the advantages.
    assert log["effect/temporal_bonus"] == pytest.approx(0.3 * 0.75**0.5)
    assert log["effect/temporal_bonus/groups"] == 0.75


@pytest.mark.parametrize("name", ["evidence", "contrast", "gap", "published"])
def test_shuffled_answers_get_no_gradient(name, student, tmp_path):
    """The update is GRPO's with the same advantages, to the last digits of float32, whatever was
    computed behind shuffled frames; and no shuffled prompt is in a pass with a gradient."""
    make, run = VARIANTS[name]
    recipe = without_lengths(make(student, tmp_path, **DESCENT))
    shown = []
    kind = run.__kwdefaults__["kind"]

    class Noting(kind):
        def _compute_loss(self, model, inputs):
            shown.extend(clip.indices for one in inputs["rows"] for clip in one.clips)
            with count_work(self.model) as counts:
                loss = super()._compute_loss(model, inputs)
            assert counts.with_gradient == [True]
            assert counts.prompts == [4]
            return loss

    _, found = descend(recipe, tmp_path, run, name, kind=Noting)
    assert shown
    assert all(list(indices) == sorted(indices) for indices in shown)
    written = lines(tmp_path / name / "completions.jsonl")
    given = {line["id"]: [one["advantage"] for one in line["ordered"]] for line in written}

    class Given(VideoGRPOTrainer):
        def advantages(self, rewards, weights):
            order = [group.sample.id for group in self._groups]
            return torch.tensor([one for name in order for one in given[name]]).double().numpy()

    plain = without_lengths(grpo_recipe(student, tmp_path, **DESCENT))
    _, wanted = descend(plain, tmp_path, run_grpo, "given", kind=Given)
    assert (found - wanted).norm() < 1e-5 * wanted.norm()
    assert wanted.norm() > 1e-3


@pytest.mark.parametrize(
    "trl",
    [
        {"scale_rewards": "batch"},
        {"scale_rewards": "none"},
        {"multi_objective_aggregation": "normalize_then_sum"},
    ],
)
def test_the_advantages_whose_effects_are_logged_are_those_that_are_trained_on(
    student, tmp_path, trl
):
    """TRL's, under each of its scalings, with a failed group among three."""
    media = write_media(tmp_path / "media", videos=3, images=0)
    media[1].path.write_bytes(b"no video")
    data = [row(4 * number, media[number]) for number in range(3)]
    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=12)
    trainer, _ = run_tgrpo(
        replace(recipe, trl=trl), tmp_path / "run", data,
        says=uneven,
    )  # fmt: skip
    rewards = trainer._update
    rule = AdvantageRule(size=4, **trl)
    ours = group_advantages(rewards.ordered, trainer.reward_weights.tolist(), rule)
    assert trainer._logs["advantages"] is not None
    assert list(trainer._logs["advantages"]) == pytest.approx(ours.tolist(), abs=1e-5)
    assert sum(rewards.failed) == 1
    assert abs(ours).max() > 0.1


def uneven(row_id, shuffled, before):
    """All rows have the answer A; formats and lengths differ."""
    return says("row-0", shuffled, before + (row_id == "row-8")) + "." * before


MIXED = {"max_steps": 2, "per_device_train_batch_size": 16}


def mixed_rows(folder):
    """Two videos, an image and a text."""
    two = rows(folder, videos=2, images=1)
    text = replace(two[0], sample=replace(two[0].sample, id="text-0", media=()))
    return [*two, text]


@pytest.mark.parametrize(
    ("share", "optim", "model"),
    [
        pytest.param(True, MIXED, {}, id="packed rows"),
        pytest.param(False, MIXED, {}, id="single rows"),
        pytest.param(True, MIXED, {"freeze_vision": True}, id="kept vision features"),
        pytest.param(True, MIXED, {"lora": LoraSettings(r=2, lora_alpha=4)}, id="adapter"),
        pytest.param(
            True,
            {
                "max_steps": 2,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 4,
                "gradient_checkpointing": True,
            },
            {},
            id="accumulation and checkpointing",
        ),
    ],
)
def test_likelihoods_behind_shuffled_frames_are_those_of_a_direct_forward(
    student, tmp_path, optim, share, model
):
    """Before and after an update: to 1e-5. The right answers of two videos are compared, 2 of 4
    each, in two updates; image and text have no other order."""
    recipe = evidence_recipe(student, tmp_path, **optim)
    recipe = replace(
        recipe,
        rollout=replace(recipe.rollout, share_prompt=share),
        model=replace(recipe.model, **model),
    )
    trainer, _ = run_evidence(
        recipe, tmp_path / "run", mixed_rows(tmp_path / "media"), kind=CheckingEvidence, says=says
    )
    assert trainer.largest < 1e-5
    assert trainer.shuffled == 2 * 2 * 2
    written = lines(tmp_path / "run" / "completions.jsonl")
    for line in written:
        compared = ["log_ratio" in one for one in line["ordered"]]
        is_video = line["id"] in ("row-0", "row-1")
        assert compared == ([True, False] * 2 if is_video else [False] * 4)
        assert line["shuffled"] == []
        assert [one["rewards"]["order_evidence"] is None for one in line["ordered"]] == [
            not is_video
        ] * 4
    log = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert log["temporal/compared"] == 0.5


@pytest.mark.parametrize("tokens", EvidenceTokens)
def test_a_right_answer_earns_by_its_tokens_log_ratio(student, tmp_path, tokens):
    """What is written is the difference of two direct forwards, over the tokens that count, and the
    reward follows from it; wrong answers earn 0."""
    seen = {}

    class Noting(VideoEvidenceTrainer):
        def measure(self, rollouts, completions):
            from tests.trainer.checked_trainers import direct_logps
            from trainer.loops.shuffled_twins import make_twins

            found = super().measure(rollouts, completions)
            twins = make_twins(
                self._inputs, self._batch, self._rollout.permutation,
                seed=self.args.seed, step=self.state.global_step,
            )  # fmt: skip
            for shown, ids, one in zip(self._batch, completions, found, strict=True):
                if one.ordered.log_ratio is not None:
                    ordered, other = (
                        direct_logps(self.model, prompt, ids) for prompt in (shown, twins[shown.id])
                    )
                    part = {
                        EvidenceTokens.ANSWER: answer_tokens(self.processing_class, ids),
                    }.get(tokens, slice(None))
                    total = (ordered - other)[part].sum().item()
                    mean = tokens is EvidenceTokens.COMPLETION
                    seen[shown.id] = total / len(ids) if mean else total
            return found

    recipe = evidence_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=8)
    reward = replace(recipe.reward, evidence_tokens=tokens)
    data = rows(tmp_path / "media", videos=2, images=0)
    run_evidence(replace(recipe, reward=reward), tmp_path / "run", data, kind=Noting, says=says)
    for line in lines(tmp_path / "run" / "completions.jsonl"):
        for at, one in enumerate(line["ordered"]):
            if at % 2:
                assert one["rewards"]["order_evidence"] == 0
            else:
                assert one["log_ratio"] == pytest.approx(seen[line["id"]], abs=1e-5)
                assert one["rewards"]["order_evidence"] == pytest.approx(
                    evidence_share(one["log_ratio"], reward)
                )
    assert len(seen) == 2


def write_still(path):
    """Write a video of one picture, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        for _ in range(24):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_an_answer_that_order_cannot_change_earns_nothing(student, tmp_path):
    """A video whose frames are all alike has other orders and nothing to see in them: the log-ratio
    is 0 to rounding, and what it earns is exactly 0, by the floor of the default settings."""
    media = write_media(tmp_path / "media", videos=1, images=0)
    write_still(media[0].path)
    default = type(evidence_recipe(student, tmp_path).reward)()
    recipe = evidence_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=4)
    run_evidence(replace(recipe, reward=default), tmp_path / "run", [row(0, media[0])], says=says)
    (line,) = lines(tmp_path / "run" / "completions.jsonl")
    assert [one.get("log_ratio") for one in line["ordered"]] == [
        pytest.approx(0, abs=1e-5), None, pytest.approx(0, abs=1e-5), None,
    ]  # fmt: skip
    assert [one["rewards"]["order_evidence"] for one in line["ordered"]] == [0.0] * 4


def test_contrast_trains_on_the_baseline_of_both_groups(student, tmp_path):
    """2 of 4 ordered and 1 of 2 shuffled right, sums 2.2 (the length bonus) and 1, shuffled answers
    rewarded alike: mean 1.6, std sqrt(6/5) * 0.6 = 0.657267, advantages +-0.6 / 0.657367; an image
    has GRPO's +-0.6 / (sqrt(4/3) * 0.6 + 1e-4)."""
    recipe = contrast_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    run_contrast(recipe, tmp_path / "run", rows(tmp_path / "media"), says=says)
    for line in lines(tmp_path / "run" / "completions.jsonl"):
        image = line["media"][0].endswith(".png")
        size = 0.6 / ((4 / 3) ** 0.5 * 0.6 + 1e-4) if image else 0.6 / (1.2**0.5 * 0.6 + 1e-4)
        found = [one["advantage"] for one in line["ordered"]]
        assert found == pytest.approx([size, -size] * 2, abs=1e-5)
        others = [{"accuracy": 1.0, "format_reward": 1.0}, {"accuracy": 0.0, "format_reward": 1.0}]
        assert [one["rewards"] for one in line["shuffled"]] == ([] if image else others)
    log = lines(tmp_path / "run" / "metrics.jsonl")[0]
    assert (log["temporal/gap"], log["temporal/compared"]) == (0.0, 0.75)
    assert "temporal/earned" not in log


def test_gap_pays_the_gap_and_may_sample_more_shuffled_than_ordered_answers(student, tmp_path):
    """Ordered 2 of 4, shuffled 1 of 6 right: right answers earn 0.3 * (1/2 - 1/6) = 0.1 beside 1
    and the format's 1; A = r - mean = +-0.55. A tie would earn 0."""
    recipe = without_lengths(
        gap_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=8)
    )
    recipe = replace(recipe, rollout=replace(recipe.rollout, shuffled_group_size=6))

    def few(row_id, shuffled, before):
        return says(row_id, shuffled, before if not shuffled or before == 0 else 1)

    run_gap(recipe, tmp_path / "run", rows(tmp_path / "media", videos=2, images=0), says=few)
    for line in lines(tmp_path / "run" / "completions.jsonl"):
        assert [one["rewards"]["accuracy"] for one in line["shuffled"]] == [1.0] + [0.0] * 5
        earned = [one["rewards"]["temporal_gap"] for one in line["ordered"]]
        assert earned == pytest.approx([1 / 3, 0.0] * 2)
        found = [one["advantage"] for one in line["ordered"]]
        assert found == pytest.approx([0.55, -0.55] * 2, abs=1e-6)
    assert lines(tmp_path / "run" / "metrics.jsonl")[0]["temporal/earned"] == 1


@pytest.mark.parametrize("name", ["evidence", "contrast", "gap"])
def test_a_failed_group_has_no_advantage_and_shifts_no_other(name, student, tmp_path):
    """In every variant; the sound groups are as without it."""
    make, run = VARIANTS[name]
    found = []
    for broken in (False, True):
        folder = tmp_path / str(broken)
        media = write_media(folder / "media", videos=2, images=0)
        if broken:
            media[1].path.write_bytes(b"no video")
        data = [row(0, media[0]), row(4, media[1])]
        recipe = make(student, folder, max_steps=1, per_device_train_batch_size=8)
        run(recipe, folder / "run", data, says=says)
        by_id = {line["id"]: line for line in lines(folder / "run" / "completions.jsonl")}
        assert (by_id["row-4"]["failure"] is not None) == broken
        found.append([one["advantage"] for one in by_id["row-0"]["ordered"]])
        assert not broken or by_id["row-4"]["ordered"] == by_id["row-4"]["shuffled"] == []
    assert found[0] == pytest.approx(found[1], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>so</think>\n<answer>B</answer>", "B"),
        (
            "<think>Gef\u00fc\u00df \u5de6 \U0001f600</think><answer>  left of it </answer>.",
            "left of it",
        ),
        ("<answer>\u5de6\u53f3</answer><answer>no</answer>", "\u5de6\u53f3"),
        ("<answer>1,250.5</answer>", "1,250.5"),
        ("<answer>a\nb</answer>", "a\nb"),
        ("<think>\U0001f600</think><answer>\U0001f600\U0001f3c3</answer>", "\U0001f600\U0001f3c3"),
    ],
)
def test_the_tokens_of_an_answer_hold_it_and_little_else(student, text, answer):
    """Those of the first pair of tags; a token that also has a part of a tag counts."""
    processor = AutoProcessor.from_pretrained(student)
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    part = answer_tokens(processor, ids)
    said = processor.tokenizer.decode(ids[part])
    assert answer in said
    for fewer in (ids[part][1:], ids[part][:-1]):
        assert answer not in processor.tokenizer.decode(fewer)


def test_a_completion_without_an_answer_has_no_tokens_of_one(student):
    """It is wrong and never compared, but a reward of one's own may call it right."""
    processor = AutoProcessor.from_pretrained(student)
    ids = processor.tokenizer("<think>so</think> B", add_special_tokens=False)["input_ids"]
    assert ids[answer_tokens(processor, ids)] == []


def test_a_pass_takes_whole_prompts():
    """Parts of at most 4 completions; a prompt with 5 is a part of its own."""
    a, b, c = object(), object(), object()
    assert split_by_prompt([a, a, b, b, c], 4) == [[0, 1, 2, 3], [4]]
    assert split_by_prompt([a, b, a, c, a, a, a], 4) == [[0, 2, 4, 5, 6], [1, 3]]
    assert split_by_prompt([], 4) == []


def test_evidence_computes_each_prompt_and_its_twin_once(student, tmp_path):
    """Three videos and an image, two right answers each: one pass without a gradient over three
    prompts and their twins, none sampled, then the update over four prompts."""
    recipe = without_lengths(
        evidence_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    )

    class Counting(VideoEvidenceTrainer):
        def train(self, *args, **options):
            with count_work(self.model) as self.counts:
                return super().train(*args, **options)

    trainer, inputs = run_evidence(
        recipe, tmp_path / "run", rows(tmp_path / "media"), kind=Counting, says=says
    )
    assert trainer.counts.prompts == [6, 4]
    assert trainer.counts.with_gradient == [False, True]
    assert inputs.processor_calls == 4 + 3


def test_the_variants_have_their_names_in_the_model_card():
    """So that a checkpoint says how it was trained."""
    assert VideoContrastTrainer.algorithm == "tgrpo-contrast"
    assert VideoEvidenceTrainer.algorithm == "tgrpo-evidence"
