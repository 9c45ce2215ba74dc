"""Rearranges the frames of a clip, to test whether answers depend on their order.

The frames are permuted, the timestamps are not.
"""

from __future__ import annotations

import random
from dataclasses import replace

from harness.schema import Clip, Variant


def arrange(clip: Clip, order: Variant, seed: int) -> Clip:
    """Return `clip` with its frames in another order.

    Args:
        clip: An ordered clip, as decoded.
        order: ORDERED returns `clip` itself; SINGLE keeps the middle frame.
        seed: Seed of the permutation, used by SHUFFLED only. The permutation depends on the clip
            too, and never keeps the order if at least two frames differ in index.

    Returns:
        A clip with its own key; `indices` follow the frames, `timestamps` do not.

    Raises:
        ValueError: `order` is BLIND, which has no clip.
    """
    match order:
        case Variant.ORDERED:
            return clip
        case Variant.REVERSED:
            return _take_frames(clip, list(reversed(range(len(clip.indices)))), "reversed")
        case Variant.SHUFFLED:
            return _take_frames(clip, _draw_permutation(clip, seed), f"shuffled-{seed}")
        case Variant.SINGLE:
            middle = len(clip.indices) // 2
            single = _take_frames(clip, [middle], "single")
            return replace(single, timestamps=(clip.timestamps[middle],))
        case _:
            raise ValueError(f"a clip cannot be shown in the order {order.value!r}")


def _take_frames(clip: Clip, positions: list[int], name: str) -> Clip:
    return replace(
        clip,
        key=f"{clip.key}-{name}",
        frames=clip.frames[positions],
        indices=tuple(clip.indices[position] for position in positions),
    )


def _draw_permutation(clip: Clip, seed: int) -> list[int]:
    positions = list(range(len(clip.indices)))
    # A text seed is hashed the same way in every process and Python version.
    rng = random.Random(f"{seed}:{clip.key}")
    rng.shuffle(positions)
    while len(set(clip.indices)) > 1 and _keeps_order(clip, positions):
        rng.shuffle(positions)
    return positions


def _keeps_order(clip: Clip, positions: list[int]) -> bool:
    """Return whether positions show the same source frames in the same order."""
    return tuple(clip.indices[position] for position in positions) == clip.indices
