"""Supervised fine-tuning: labels, inputs, and the effect of a bad file."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch

from harness.errors import DatasetError
from tests.trainer.checked_trainers import direct_logps
from tests.trainer.small_runs import (
    load_small,
    row,
    rows,
    sft_recipe,
    small_data,
    train_small,
    write_media,
)
from trainer.algorithms import sft
from trainer.loops import collate
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder
from trainer.loops.targets import target_text

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def setting(untrained, tmp_path):
    """A loaded model, its input builder, and rows: three videos and an image."""
    recipe = sft_recipe(untrained, tmp_path)
    loaded = load_small(recipe.model.checkpoint)
    with ClipLoader(recipe.frames, recipe.data, patch_multiple=28) as clips:
        yield loaded, InputBuilder(loaded.processor, clips, cache_mib=64), rows(tmp_path / "media")


def metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_only_the_answer_is_learnt(setting):
    """Labels are the rationale, the answer and the end token; no user or vision token is among
    them, and as many label positions as answer tokens exist."""
    loaded, inputs, data = setting
    tokenizer = loaded.processor.tokenizer
    batch = sft.Collator(data, inputs, tokenizer)([{"row": 0}, {"row": 3}])
    for number, labels in zip((0, 3), batch["labels"].tolist(), strict=True):
        learnt = [token for token in labels if token != collate.IGNORED]
        assert tokenizer.decode(learnt) == target_text(data[number]) + "<|im_end|>"
        assert not set(learnt) & set(loaded.vision_ids.values())


def test_the_loss_is_that_of_the_answers_given_the_videos(untrained, tmp_path):
    """Mean over all answer tokens of the batch of -log p, each row scored on its own directly."""
    data = rows(tmp_path / "media")
    recipe = sft_recipe(untrained, tmp_path, max_steps=1, per_device_train_batch_size=4)
    loaded = load_small(recipe.model.checkpoint)
    with ClipLoader(recipe.frames, recipe.data, patch_multiple=28) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=64)
        seen = inputs.build(inputs.start(one.sample for one in data))
    scores = []
    for one, shown in zip(data, seen, strict=True):
        ids = loaded.processor.tokenizer(target_text(one))["input_ids"]
        ids = [*ids, loaded.processor.tokenizer.eos_token_id]
        scores.append(direct_logps(loaded.model, shown, ids))
    train_small(sft, recipe, tmp_path / "run", rows=data)
    assert metrics(tmp_path / "run")[0]["loss"] == pytest.approx(
        -torch.cat(scores).mean().item(), abs=1e-5
    )


def test_frames_keep_their_times(setting):
    """Four frames of clips of 2.4, 3.2 and 4 s: two grids, each half a clip or so apart."""
    _, inputs, data = setting
    seen = inputs.build(inputs.start(one.sample for one in data))
    for shown in seen[:3]:
        clip = shown.clips[0]
        step = (clip.indices[-1] - clip.indices[0]) / (len(clip.indices) - 1) / clip.fps
        seconds = shown.tensors["second_per_grid_ts"].item()
        assert seconds == pytest.approx(2 * step, rel=0.35)
    assert len({shown.tensors["second_per_grid_ts"].item() for shown in seen[:3]}) == 3


def test_the_prompt_is_that_of_the_evaluation(setting):
    """Word for word as the transformers engine builds it for a benchmark question."""
    from harness.backends import chat
    from harness.schema import Prompt
    from harness.scoring import prompts

    loaded, inputs, data = setting
    (shown,) = inputs.build(inputs.start([data[0].sample]))
    sample = data[0].sample
    prompt = Prompt(text=prompts.video_r1(sample.question, sample.kind, sample.options))
    text = chat.render(loaded.processor, prompt, shown.clips)
    pads = "<|video_pad|>"
    count = shown.ids.count(loaded.vision_ids["video"])
    assert loaded.processor.tokenizer.decode(shown.ids) == text.replace(pads, pads * count)


def test_a_row_is_decoded_and_processed_once(setting):
    """Twice in one batch and again in the next: one decode, one processor call."""
    _, inputs, data = setting
    first = inputs.build(inputs.start([data[0].sample, data[0].sample]))
    again = inputs.build(inputs.start([data[0].sample]))
    assert first[0] is first[1] is again[0]
    assert (inputs.decodes, inputs.processor_calls) == (1, 1)


def test_the_cache_of_inputs_is_bounded(untrained, tmp_path):
    """Without a cache every batch decodes again, and gives the same inputs."""
    recipe = sft_recipe(untrained, tmp_path)
    processor = load_small(recipe.model.checkpoint).processor
    data = rows(tmp_path / "media", videos=1, images=0)
    with ClipLoader(recipe.frames, recipe.data, patch_multiple=28) as clips:
        inputs = InputBuilder(processor, clips, cache_mib=0)
        (first,), (second,) = (inputs.build(inputs.start([data[0].sample])) for _ in range(2))
    assert (inputs.decodes, inputs.processor_calls) == (2, 2)
    assert first.ids == second.ids
    assert torch.equal(first.tensors["pixel_values_videos"], second.tensors["pixel_values_videos"])


def test_decoding_in_workers_shows_the_same(untrained, tmp_path):
    """Worker processes deliver what the training process would decode itself."""
    recipe = sft_recipe(untrained, tmp_path)
    processor = load_small(recipe.model.checkpoint).processor
    samples = [one.sample for one in rows(tmp_path / "media")]
    seen = []
    for workers in (0, 2):
        data = replace(small_data(tmp_path), decode_workers=workers)
        with ClipLoader(recipe.frames, data, patch_multiple=28) as clips:
            inputs = InputBuilder(processor, clips, cache_mib=64)
            seen.append(inputs.build(inputs.start(samples)))
    for here, there in zip(*seen, strict=True):
        assert here.ids == there.ids
        assert here.tensors.keys() == there.tensors.keys()
        assert all(torch.equal(here.tensors[name], there.tensors[name]) for name in here.tensors)


def test_the_loss_falls(untrained, tmp_path):
    """Thirty updates on four rows."""
    recipe = sft_recipe(
        untrained, tmp_path, max_steps=30, per_device_train_batch_size=4, save_steps=30
    )
    train_small(sft, recipe, tmp_path / "run", rows=rows(tmp_path / "media"))
    losses = [line["loss"] for line in metrics(tmp_path / "run") if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]


def test_a_row_that_cannot_be_decoded_is_left_out_and_named(untrained, tmp_path, caplog):
    """The update is that of the sound row alone, scaled by its share of the batch's tokens; the
    count is in the metrics and the name in the log. No other row takes its place."""
    media = write_media(tmp_path / "media", videos=2, images=0)
    sound, broken = row(0, media[0]), row(4, media[1])  # targets of equal length
    media[1].path.write_bytes(b"no video")
    recipe = sft_recipe(untrained, tmp_path, max_steps=1, per_device_train_batch_size=2)
    with caplog.at_level("WARNING", logger="trainer"):
        train_small(sft, recipe, tmp_path / "both", rows=[sound, broken])
    assert "row-4 is left out" in caplog.text
    both = metrics(tmp_path / "both")[0]
    assert both["failed_rows"] == 1
    alone = sft_recipe(untrained, tmp_path, max_steps=1, per_device_train_batch_size=1)
    train_small(sft, alone, tmp_path / "alone", rows=[sound])
    assert both["loss"] == pytest.approx(metrics(tmp_path / "alone")[0]["loss"] / 2, rel=1e-5)


def test_a_row_that_cannot_be_decoded_shows_a_blank_video(setting):
    """Two black frames of the smallest size: a forward pass calls the vision tower as usual."""
    loaded, inputs, data = setting
    data[0].sample.media[0].path.write_bytes(b"no video")
    (shown,) = inputs.build(inputs.start([data[0].sample]))
    assert "0.mp4" in shown.failure.message
    assert shown.clips[0].frames.shape == (2, 28, 28, 3)
    assert not shown.clips[0].frames.any()
    assert shown.ids.count(loaded.vision_ids["video"]) == 1
    assert shown.tensors["pixel_values_videos"].shape == (4, 3 * 2 * 14 * 14)


def test_a_batch_of_failures_changes_nothing(untrained, tmp_path):
    """The loss is 0, not a number divided by nothing."""
    media = write_media(tmp_path / "media", videos=1, images=0)
    data = [row(0, media[0])]
    media[0].path.write_bytes(b"no video")
    train_small(
        sft,
        sft_recipe(untrained, tmp_path, max_steps=1, per_device_train_batch_size=1),
        tmp_path / "run",
        rows=data,
    )
    line = metrics(tmp_path / "run")[0]
    assert line["loss"] == 0
    assert math.isfinite(line["grad_norm"])


def test_a_row_without_rationale_is_refused(untrained, tmp_path):
    """SFT needs something to imitate; the message names the row."""
    data = [replace(rows(tmp_path / "media", 1, 0)[0], rationale=None)]
    with pytest.raises(DatasetError, match="row-0 has no rationale"):
        train_small(sft, sft_recipe(untrained, tmp_path), tmp_path / "run", rows=data)
