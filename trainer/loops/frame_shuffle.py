"""Permute the frames of a clip; the timestamps stay as they are.

Video-R1 permutes single frames. A Qwen-VL model merges every two neighbouring frames, so that this
also changes the content of the merged pairs; permuting whole pairs changes their order alone.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from harness.schema import Clip, MediaKind, Variant
from harness.video.variants import arrange
from trainer.config.choices import Permutation


def shuffled_clip(clip: Clip, unit: Permutation, merged_frames: int, seed: int) -> Clip:
    """Return a clip with its frames in another order.

    Args:
        clip: The clip; returned itself where there is no other order, as for an image.
        unit: What is permuted: single frames or groups of merged frames.
        merged_frames: Neighbouring frames that the model merges (its temporal patch size).
        seed: Seed of the permutation, which also depends on the clip's key.
    """
    if clip.kind is MediaKind.IMAGE or len(set(clip.indices)) == 1:
        return clip
    if unit is Permutation.FRAME:
        return arrange(clip, Variant.SHUFFLED, seed)
    return _shuffle_merged(clip, merged_frames, seed)


def _shuffle_merged(clip: Clip, size: int, seed: int) -> Clip:
    """Permute groups of `size` frames; the last group is filled up with the last frame.

    The processor fills it up in the same way, so that it merges the same frames in both orders.
    """
    missing = -len(clip.indices) % size
    positions = [*range(len(clip.indices)), *[len(clip.indices) - 1] * missing]
    groups = [positions[start : start + size] for start in range(0, len(positions), size)]
    if len(groups) == 1:
        return clip
    rng = random.Random(f"{seed}:{clip.key}")
    shuffled = list(groups)
    while shuffled == groups:
        rng.shuffle(shuffled)
    order = [position for group in shuffled for position in group]
    return replace(
        clip,
        key=f"{clip.key}-grids-{seed}",
        frames=clip.frames[np.array(order)],
        indices=tuple(clip.indices[position] for position in order),
        timestamps=tuple(clip.timestamps[position] for position in positions),
    )
