"""Text behind a long video stands behind it: the engines agree on positions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asking import ask, clip, request

from harness.backends import positions
from harness.backends.transformers import TransformersBackend

torch = pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def test_every_stretch_begins_after_the_largest_position_before_it():
    """By hand: two words, a video of two grids 9 apart of 1 x 2 tokens, two words.

    The words are at 0 and 1. The video begins at 2: times 2, 2, 11, 11, widths 2, 3, 2, 3. Its
    largest is 11, so the words behind it are at 12 and 13; transformers 5 puts them at 4 and 5.
    """
    times = [0, 1, 2, 2, 11, 11, 4, 5]
    height = [0, 1, 2, 2, 2, 2, 4, 5]
    width = [0, 1, 2, 3, 2, 3, 4, 5]
    laid = positions.lay_out(torch.tensor([times, height, width]), [0, 0, 2, 2, 2, 2, 0, 0])
    assert laid.tolist() == [
        [0, 1, 2, 2, 11, 11, 12, 13],
        [0, 1, 2, 2, 2, 2, 12, 13],
        [0, 1, 2, 3, 2, 3, 12, 13],
    ]


def test_what_is_right_stays_as_it_is():
    """An image, whose largest position is its height or width, and text alone."""
    found = torch.tensor([[0, 1, 1, 1, 1, 3], [0, 1, 1, 2, 2, 3], [0, 1, 2, 1, 2, 3]])
    assert positions.lay_out(found, [0, 1, 1, 1, 1, 0]).tolist() == found.tolist()


def _long(seed: int):
    """Eight frames, four seconds apart: temporal positions far beyond the width of a frame."""
    short = clip(28, seed, frames=8)
    return replace(
        short,
        key=f"long-{seed}",
        fps=1.0,
        indices=tuple(range(0, 32, 4)),
        timestamps=tuple(4.0 * frame for frame in range(8)),
        total_frames=32,
        duration_s=32.0,
    )


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl"])
def test_both_engines_answer_alike_on_long_videos(checkpoint_of, small_cpu_cache, name):
    """Greedy tokens are equal on twelve questions; without the correction they are not."""
    vllm = pytest.importorskip("harness.backends.vllm", reason="no vllm")
    pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")
    checkpoint = checkpoint_of(name)
    asked = [request(f"{seed}", f"Question {seed}: what?", [_long(seed)]) for seed in range(12)]
    ours = TransformersBackend(checkpoint)
    theirs = vllm.VLLMBackend(checkpoint)
    try:
        left, right = ask(ours, asked), ask(theirs, asked)
    finally:
        ours.close()
        theirs.close()
    assert [left[one.id].token_ids for one in asked] == [right[one.id].token_ids for one in asked]
