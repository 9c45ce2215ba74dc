"""Rearranged clips: which frame is shown when, and under which key."""

from __future__ import annotations

import numpy as np
import pytest

from harness.schema import Clip, MediaKind, Variant
from harness.video.variants import arrange


def clip(*indices: int, key: str = "k") -> Clip:
    """Build a clip whose frames hold their own indices."""
    frames = np.array(indices, np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
    return Clip(
        key=key,
        kind=MediaKind.VIDEO,
        frames=frames,
        indices=indices,
        timestamps=tuple(index / 10 for index in indices),
        fps=10.0,
        total_frames=100,
        duration_s=10.0,
    )


def shown(clip: Clip) -> list[int]:
    return clip.frames[:, 0, 0, 0].tolist()


def test_ordered_is_the_clip() -> None:
    """Nothing is copied when nothing changes."""
    original = clip(0, 5, 9)
    assert arrange(original, Variant.ORDERED, seed=3) is original


def test_reversed() -> None:
    """The last frame comes first, at the time of the first."""
    turned = arrange(clip(0, 5, 9), Variant.REVERSED, seed=0)
    assert shown(turned) == [9, 5, 0]
    assert turned.indices == (9, 5, 0)
    assert turned.timestamps == (0.0, 0.5, 0.9)


@pytest.mark.parametrize(("indices", "middle"), [((4,), 4), ((0, 9), 9), ((0, 5, 9), 5)])
def test_single(indices: tuple[int, ...], middle: int) -> None:
    """The middle frame stays, with its time; of an even number, the later of the two."""
    single = arrange(clip(*indices), Variant.SINGLE, seed=0)
    assert shown(single) == [middle]
    assert single.indices == (middle,)
    assert single.timestamps == (middle / 10,)


@pytest.mark.parametrize("length", [2, 3, 4, 16])
def test_shuffled_always_differs(length: int) -> None:
    """For every seed the same frames come in another order, at the same times."""
    original = clip(*range(length))
    for seed in range(200):
        mixed = arrange(original, Variant.SHUFFLED, seed=seed)
        assert shown(mixed) == list(mixed.indices)
        assert sorted(mixed.indices) == list(range(length))
        assert mixed.indices != original.indices
        assert mixed.timestamps == original.timestamps


@pytest.mark.parametrize("indices", [(3,), (3, 3, 3)])
def test_shuffled_without_choice(indices: tuple[int, ...]) -> None:
    """One frame, or one frame repeated, has no other order."""
    assert arrange(clip(*indices), Variant.SHUFFLED, seed=0).indices == indices


def test_shuffled_depends_on_seed_and_clip_alone() -> None:
    """The same seed and clip give the same order in every process; others give others."""
    original = clip(*range(16))
    first = arrange(original, Variant.SHUFFLED, seed=1)
    assert first.indices == (14, 5, 12, 9, 2, 4, 11, 10, 1, 3, 13, 15, 7, 8, 6, 0)
    assert first.indices != arrange(original, Variant.SHUFFLED, seed=2).indices
    assert first.indices != arrange(clip(*range(16), key="l"), Variant.SHUFFLED, seed=1).indices


def test_keys_tell_orders_apart() -> None:
    """Two clips of one file share a key only if they show the same frames in the same order."""
    original = clip(0, 5, 9)
    orders = [(Variant.REVERSED, 0), (Variant.SINGLE, 0), (Variant.SHUFFLED, 0)]
    keys = {arrange(original, order, seed=seed).key for order, seed in orders}
    keys |= {original.key, arrange(original, Variant.SHUFFLED, seed=1).key}
    assert len(keys) == 5


def test_blind_is_no_order() -> None:
    """A blind question has no clip, so there is nothing to arrange."""
    with pytest.raises(ValueError, match="blind"):
        arrange(clip(0), Variant.BLIND, seed=0)
