"""The shuffled twin of a clip: the same frames at the same times, in an order that never was.

Video-R1 permutes single frames. A Qwen-VL model merges every two neighbouring frames into one
temporal grid, so that also changes what a grid shows; permuting whole grids changes order alone.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from harness.schema import Clip, MediaKind, Variant
from harness.video.variants import arrange
from trainer.config.choices import Permutation


def shuffled_clip(clip: Clip, unit: Permutation, frames_per_grid: int, seed: int) -> Clip:
    """Return `clip` in another order; `clip` itself where there is none, as for an image."""
    if clip.kind is MediaKind.IMAGE or len(set(clip.indices)) == 1:
        return clip
    if unit is Permutation.FRAME:
        return arrange(clip, Variant.SHUFFLED, seed)
    return _shuffled_grids(clip, frames_per_grid, seed)


def _shuffled_grids(clip: Clip, size: int, seed: int) -> Clip:
    """Permute runs of `size` frames; a run that is too short is filled with the last frame.

    So does the processor, which therefore sees the same grids in both orders.
    """
    missing = -len(clip.indices) % size
    positions = [*range(len(clip.indices)), *[len(clip.indices) - 1] * missing]
    grids = [positions[start : start + size] for start in range(0, len(positions), size)]
    if len(grids) == 1:
        return clip
    rng = random.Random(f"{seed}:{clip.key}")
    shuffled = list(grids)
    while shuffled == grids:
        rng.shuffle(shuffled)
    order = [position for grid in shuffled for position in grid]
    return replace(
        clip,
        key=f"{clip.key}-grids-{seed}",
        frames=clip.frames[np.array(order)],
        indices=tuple(clip.indices[position] for position in order),
        timestamps=tuple(clip.timestamps[position] for position in positions),
    )
