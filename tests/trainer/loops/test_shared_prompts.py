"""Completions that share their prompt get the log-probabilities and gradients of single rows."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from trl.trainer.utils import add_fused_lm_head

from tests.engines import tiny
from tests.trainer.checked_trainers import run_grpo, run_tgrpo, says
from tests.trainer.small_runs import (
    load_small,
    mixed_rows,
    rows,
    see,
    tgrpo_recipe,
    update_recipe,
)
from tests.trainer.work_counts import count_work
from trainer.config.sections import LoraSettings
from trainer.loops import collate, forward, shared_attention
from trainer.loops.forward import VisionForward
from trainer.loops.kept_features import KeptFeatures
from trainer.loops.regroup import count_prompts, gather_prompts, warn_of_repeats

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def score(loaded, prompts, completions, *, share, left_out=(), kept=None):
    """Return log-probabilities, entropies and the gradients of a weighted sum of them."""
    batch = collate.make_batch(prompts, completions, loaded.vision_ids, 0)
    columns = max(map(len, completions))
    mask = batch["attention_mask"]
    mask[list(left_out), -columns:] = 0
    labels = batch["input_ids"].masked_fill(mask == 0, -100)
    labels[:, :-columns] = -100
    loaded.model.zero_grad()
    passed = VisionForward(
        loaded.model, prompts, loaded.vision_ids, columns=columns, share_prompts=share, kept=kept
    )
    found = passed(
        input_ids=batch["input_ids"], attention_mask=mask, labels=labels, fused_lm_head=True
    )
    logps = found.log_probs[:, -columns:]
    (logps * torch.linspace(-1, 1, logps.numel()).view_as(logps)).sum().backward()
    gradients = {
        name: one.grad.clone()
        for name, one in loaded.model.named_parameters()
        if one.grad is not None
    }
    return logps.detach(), found.entropy[:, -columns:].detach(), gradients


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_a_shared_prompt_changes_no_log_probability_and_no_gradient(name, tmp_path):
    """Two videos, an image and a text in any order and number, answers of 1 to 9 tokens; all to
    1e-5. The text alone, and one prompt alone, too."""
    loaded, prompts = see(tiny.ARCHITECTURES[name](tmp_path / "model"), tmp_path)
    assert shared_attention.prepare_model(loaded.model) is None
    add_fused_lm_head(loaded.model, outputs=("log_probs", "entropy"))
    lengths = (7, 3, 1, 9, 4, 5, 2, 8, 6)
    for order in ([0, 0, 1, 3, 0, 2, 2, 1, 3], [3, 3], [1, 1, 1], [2]):
        shown = [prompts[at] for at in order]
        said = [
            [20 + (7 * at + 3 * i) % 250 for i in range(lengths[at])] for at in range(len(shown))
        ]
        single = score(loaded, shown, said, share=False)
        shared = score(loaded, shown, said, share=True)
        for ours, theirs in zip(shared[:2], single[:2], strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
        assert shared[2].keys() == single[2].keys()
        for part, gradient in single[2].items():
            largest = max(1.0, float(gradient.abs().max()))
            torch.testing.assert_close(shared[2][part], gradient, atol=1e-5 * largest, rtol=0)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_kept_features_are_those_that_would_be_computed(name, tmp_path):
    """Of some prompts of a batch, in another order; with an unknown one all are encoded."""
    loaded, prompts = see(tiny.ARCHITECTURES[name](tmp_path / "model"), tmp_path)
    shared_attention.prepare_model(loaded.model)
    add_fused_lm_head(loaded.model, outputs=("log_probs", "entropy"))
    loaded.model.base_model.visual.requires_grad_(False)
    kept = KeptFeatures()
    with torch.no_grad():
        encoded = forward.encode(loaded.model, collate.media_tensors(prompts[:3]))
    kept.remember(prompts[:3], encoded["mm_encoder_outputs"])
    for order, calls in (([2, 0, 0, 1], 0), ([1], 0), ([0, 3], 1)):
        shown, said = [prompts[at] for at in order], [[30 + at, 40] for at in range(len(order))]
        with count_work(loaded.model) as counts:
            ours = score(loaded, shown, said, share=True, kept=kept)
        assert len(counts.media) == calls
        theirs = score(loaded, shown, said, share=True)
        torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=0)
        for part, gradient in theirs[2].items():
            torch.testing.assert_close(ours[2][part], gradient, atol=1e-4, rtol=1e-4)


def test_completions_that_are_left_out_count_nothing(untrained, tmp_path):
    """Of one that is left out beside others, and of a batch in which all are."""
    loaded, prompts = see(untrained, tmp_path)
    shared_attention.prepare_model(loaded.model)
    add_fused_lm_head(loaded.model, outputs=("log_probs", "entropy"))
    shown, said = [prompts[0], prompts[0], prompts[2]], [[30, 31], [32], [33, 34, 35]]
    some = score(loaded, shown, said, share=True, left_out=[1])
    wanted = score(loaded, shown, said, share=False, left_out=[1])
    torch.testing.assert_close(some[0], wanted[0], atol=1e-5, rtol=0)
    assert not some[0][1].any()
    logps, _, gradients = score(loaded, shown, said, share=True, left_out=[0, 1, 2])
    assert not logps.any()
    assert not any(gradient.any() for gradient in gradients.values())


def test_other_passes_of_a_prepared_model_stay_as_they_were(untrained, tmp_path):
    """To the last bit: its attention is transformers' own wherever no row is packed."""
    loaded, prompts = see(untrained, tmp_path)
    batch = collate.make_batch(prompts, [[5, 6], [7], [8], [9]], loaded.vision_ids, 0)
    with torch.no_grad():
        before = loaded.model(**batch).logits
        shared_attention.prepare_model(loaded.model)
        assert torch.equal(loaded.model(**batch).logits, before)


LORA = LoraSettings(r=2, lora_alpha=4)
WHOLE, PARTS = (
    {"per_device_train_batch_size": size, "gradient_accumulation_steps": 16 // size}
    for size in (16, 2)
)
UPDATES = {
    "one pass": (WHOLE, None),
    "accumulation": ({"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}, None),
    "parts of groups": (PARTS, None),
    "checkpointing": ({**WHOLE, "gradient_checkpointing": True}, None),
    "adapter": (WHOLE, LORA),
    "parts, checkpointing": ({**PARTS, "gradient_checkpointing": True}, None),
    "parts, checkpointing, adapter": ({**PARTS, "gradient_checkpointing": True}, LORA),
}


@pytest.fixture(scope="module")
def checkpoints(untrained, tmp_path_factory):
    """Random weights of two architectures."""
    folder = tmp_path_factory.mktemp("qwen3") / "model"
    return {"qwen2_5_vl": untrained, "qwen3_vl": tiny.qwen3_vl(folder)}


@pytest.mark.parametrize(
    ("name", "kind", "case"),
    [
        *(("qwen2_5_vl", "tgrpo", case) for case in UPDATES),
        *(("qwen2_5_vl", "grpo", case) for case in ("one pass", "parts, checkpointing, adapter")),
        *(("qwen3_vl", kind, "parts, checkpointing") for kind in ("grpo", "tgrpo")),
        ("qwen3_vl", "tgrpo", "parts, checkpointing, adapter"),
    ],
)
def test_an_update_has_the_gradient_of_single_rows(name, kind, case, checkpoints, tmp_path):
    """Two videos, an image and a text, groups of 4, KL term: with plain gradient descent and a rate
    of 1 the weights differ by their gradients, to 1e-5."""
    optim, lora = UPDATES[case]
    checkpoint, data = checkpoints[name], mixed_rows(tmp_path / "media")
    weights = {}
    for share in (True, False):
        recipe = update_recipe(kind, checkpoint, tmp_path, share=share, lora=lora, **optim)
        torch.manual_seed(3)  # of the adapter's weights
        run = {"grpo": run_grpo, "tgrpo": run_tgrpo}[kind]
        ran = run(recipe, tmp_path / f"run-{share}", data, says=says)
        trainer = ran[0] if isinstance(ran, tuple) else ran
        weights[share] = {
            name: one.detach().clone()
            for name, one in trainer.model.named_parameters()
            if one.requires_grad
        }
    before = dict(load_small(checkpoint).model.named_parameters()) if lora is None else {}
    for name, one in weights[False].items():
        torch.testing.assert_close(weights[True][name], one, atol=1e-5, rtol=1e-5)
        if name == "lm_head.weight":
            assert (one - before[name]).abs().max() > 1e-3


class Counting:
    """Mixin: counts the work of policy and reference in the passes over a batch."""

    def train(self, *args, **options):
        models = [self.model] if self.ref_model is None else [self.model, self.ref_model]
        with count_work(*models) as self.counts:
            return super().train(*args, **options)


@pytest.mark.parametrize(
    ("size", "passes", "prompts"),
    [(16, 1, [4]), (8, 2, [2, 2]), (4, 4, [1] * 4), (2, 8, [1] * 8)],
)
def test_each_pass_computes_a_prompt_once_per_part_of_a_batch(
    student, tmp_path, caplog, size, passes, prompts
):
    """Four groups of 4 in parts of 16, 8, 4 and 2: TRL's shuffled parts would have up to four
    prompts each. The reference, without a gradient, takes whole groups at a time. Where parts cut
    groups the log says what it costs."""
    from trainer.algorithms.tgrpo import VideoTGRPOTrainer

    class CountingTGRPO(Counting, VideoTGRPOTrainer):
        pass

    recipe = tgrpo_recipe(
        student,
        tmp_path,
        max_steps=1,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=passes,
    )
    with caplog.at_level(logging.WARNING, logger="trainer"):
        trainer, _ = run_tgrpo(
            recipe, tmp_path / "run", rows(tmp_path / "media"), kind=CountingTGRPO, says=says
        )
    counts = trainer.counts
    assert count_prompts(size, passes, 4) == sum(prompts)
    assert ("computes 8 prompts for the 4 of an update" in caplog.text) == (size == 2)
    seen = list(zip(counts.prompts, counts.with_gradient, strict=True))
    assert [number for number, gradient in seen if gradient] == prompts
    assert sum(number for number, gradient in seen if not gradient) == 4, "whole groups: reference"


@pytest.mark.parametrize(
    ("changes", "media"), [({}, [7, 4, 4]), ({"freeze_vision": True}, [7]), ({"lora": LORA}, [7])]
)
def test_a_frozen_tower_encodes_a_medium_once_in_an_update(student, tmp_path, changes, media):
    """Four prompts, three of them videos with shuffled twins, which are sampled only; a trained
    tower encodes for the reference and for the gradient as well."""
    from trainer.algorithms.tgrpo import VideoTGRPOTrainer

    class CountingTGRPO(Counting, VideoTGRPOTrainer):
        pass

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    recipe = replace(recipe, model=replace(recipe.model, **changes))
    trainer, _ = run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media"), kind=CountingTGRPO)
    assert trainer.counts.media == media
    assert trainer.counts.prompts == [7, 4, 4]


def test_a_model_that_takes_no_packed_rows_gets_single_ones_and_says_why(student, tmp_path, caplog):
    """Eager attention: the log names it, and every completion has its own copy of the prompt."""
    from trainer.algorithms.tgrpo import VideoTGRPOTrainer

    class CountingTGRPO(Counting, VideoTGRPOTrainer):
        pass

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, per_device_train_batch_size=16)
    recipe = replace(recipe, model=replace(recipe.model, attn_implementation="eager"))
    with caplog.at_level(logging.WARNING, logger="trainer"):
        trainer, _ = run_tgrpo(
            recipe, tmp_path / "run", rows(tmp_path / "media"), kind=CountingTGRPO, says=says
        )
    assert trainer.counts.prompts == [16, 16]
    assert 'model.attn_implementation is "eager"' in caplog.text


@pytest.mark.parametrize(
    ("size", "parts", "group", "prompts"),
    [(6, 2, 4, 4), (2, 4, 8, 4), (8, 1, 8, 1), (3, 4, 4, 6), (1, 8, 8, 8), (24, 1, 8, 3)],
)
def test_prompts_of_parts_are_counted(size, parts, group, prompts):
    """Parts of 6 and groups of 4: the second group is in both parts, 2 + 2 prompts."""
    assert count_prompts(size, parts, group) == prompts


def test_a_router_loss_is_said_to_cost_the_sharing(caplog):
    """Once, with what leaves it out; whole groups are not spoken of."""
    arguments = SimpleNamespace(per_device_train_batch_size=8, gradient_accumulation_steps=2)
    with caplog.at_level(logging.WARNING, logger="trainer"):
        warn_of_repeats(SimpleNamespace(aux_loss_enabled=True, args=arguments, num_generations=8))
    assert "trl.router_aux_loss_coef = 0" in caplog.text
    assert "cut groups" not in caplog.text


def test_the_parts_of_a_batch_keep_what_belongs_together():
    """Five completions of prompts a, b, a, a, b and one of c, in parts of two; each keeps its
    number, and what has no completions' axis stays in every part."""
    a, b, c = object(), object(), object()
    listed, numbers = [a, b, a, a, b, c], torch.arange(6.0)
    parts = [
        {
            "rows": listed[at : at + 2],
            "advantages": numbers[at : at + 2],
            "items": torch.tensor(9),
            "none": None,
        }
        for at in (0, 2, 4)
    ]
    gathered = gather_prompts(parts)
    assert [part["rows"] for part in gathered] == [[a, a], [a, b], [b, c]]
    assert [part["advantages"].tolist() for part in gathered] == [[0, 2], [3, 1], [4, 5]]
    assert [(int(part["items"]), part["none"]) for part in gathered] == [(9, None)] * 3
