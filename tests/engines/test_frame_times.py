"""The times that a model is told are those of the record, on every engine and in training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from asking import request

from harness.schema import Clip, FramePolicy, FrameRule, Media
from harness.video.decode import decode
from tests.clips import write_clip

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]

UNEVEN = [0, 1, 2, 3, 10, 11, 37, 90]
"""Tenths of a second."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = write_clip(tmp_path_factory.mktemp("clips") / "uneven.mkv", 8, pts=UNEVEN)
    return read(path)


def read(path: Path, **span: float) -> Clip:
    """Decode eight frames of a size that fits the grids of both models, 28 and 32 pixels."""
    side = 28 * 8
    policy = FramePolicy(
        rule=FrameRule.LINSPACE, max_frames=8, min_pixels=side * side, max_pixels=side * side
    )
    return decode(Media(path=path, **span), policy, patch_multiple=side)


def markers(text: str) -> list[str]:
    return re.findall(r"<([0-9.]+) seconds>", text)


def expected(clip: Clip) -> list[str]:
    times = clip.timestamps
    return [f"{(one + two) / 2:.1f}" for one, two in zip(times[::2], times[1::2], strict=True)]


def transformers_inputs(checkpoint, clip: Clip):
    from harness.backends.transformers import TransformersBackend

    backend = TransformersBackend(checkpoint)
    try:
        inputs = backend._make_inputs([request("x", clips=[clip])])
        return inputs, backend._processor.tokenizer.decode(inputs["input_ids"][0])
    finally:
        backend.close()


def vllm_inputs(checkpoint, clip: Clip):
    vllm = pytest.importorskip("harness.backends.vllm", reason="no vllm")
    pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")
    backend = vllm.VLLMBackend(checkpoint)
    try:
        prepared = backend._prepare(request("x", clips=[clip]))
        return prepared, backend._processor.tokenizer.decode(prepared["prompt_token_ids"])
    finally:
        backend.close()


def training_inputs(checkpoint, clip: Clip):
    from harness.backends.chat import load_processor
    from harness.schema import Prompt
    from trainer.config.sections import DataSettings, FrameSettings
    from trainer.loops.clips import ClipLoader
    from trainer.loops.inputs import InputBuilder

    processor = load_processor(checkpoint)
    with ClipLoader(
        FrameSettings(),
        DataSettings(rows=(Path("r.jsonl"),), media_roots=(Path(),), decode_workers=0),
        patch_multiple=32,
    ) as clips:
        builder = InputBuilder(processor, clips, cache_mib=1)
        inputs = builder._process("x", Prompt(text="What?"), (clip,))
    return inputs.tensors, processor.tokenizer.decode(inputs.ids)


INPUTS = [transformers_inputs, vllm_inputs, training_inputs]


def test_the_clip_is_uneven(shown):
    """By hand: pairs at 0.05, 0.25, 1.05 and 6.35 s, 9 s over seven steps."""
    assert shown.timestamps == pytest.approx([tenth / 10 for tenth in UNEVEN])
    assert shown.spacing_s == pytest.approx(9 / 7, abs=1e-6)


@pytest.mark.parametrize("inputs_of", INPUTS)
def test_markers_of_qwen3_vl_are_the_times_of_the_record(
    checkpoint_of, small_cpu_cache, shown, inputs_of
):
    """A marker stands before every two frames and has the mean of their times."""
    _, text = inputs_of(checkpoint_of("qwen3_vl"), shown)
    assert markers(text) == expected(shown)


def test_times_of_a_span_begin_with_the_span(checkpoint_of, tmp_path):
    """Frames from 1 to 3 s: the record counts from the first of them, and so do the markers."""
    clip = read(write_clip(tmp_path / "a.mp4"), start_s=1.0, end_s=3.0)
    _, text = transformers_inputs(checkpoint_of("qwen3_vl"), clip)
    assert clip.timestamps[0] == 0.0
    assert markers(text) == expected(clip)


@pytest.mark.parametrize("inputs_of", [transformers_inputs, training_inputs])
def test_qwen2_5_vl_is_told_the_mean_spacing_of_the_record(checkpoint_of, shown, inputs_of):
    """Two frames make one grid, so grids are two spacings apart."""
    inputs, _ = inputs_of(checkpoint_of("qwen2_5_vl"), shown)
    assert float(inputs["second_per_grid_ts"][0]) == pytest.approx(2 * shown.spacing_s, abs=1e-5)


def test_vllm_tells_qwen2_5_vl_the_mean_spacing_of_the_record(
    checkpoint_of, small_cpu_cache, shown
):
    """As the processor of the engine computes it."""
    prepared, _ = vllm_inputs(checkpoint_of("qwen2_5_vl"), shown)
    (video,) = prepared["mm_kwargs"]["video"]
    told = video["second_per_grid_ts"].data
    assert float(told) == pytest.approx(2 * shown.spacing_s, abs=1e-5)
