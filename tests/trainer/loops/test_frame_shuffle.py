"""A shuffled clip has the same frames at the same times, in another order."""

from __future__ import annotations

import numpy as np
import pytest

from harness.schema import Clip, MediaKind
from trainer.config.choices import Permutation
from trainer.loops.frame_shuffle import shuffled_clip


def clip(frames: int, kind: MediaKind = MediaKind.VIDEO) -> Clip:
    """Frame number n is filled with n."""
    return Clip(
        key=f"clip-{frames}",
        kind=kind,
        frames=np.arange(frames, dtype=np.uint8).repeat(4 * 4 * 3).reshape(frames, 4, 4, 3),
        indices=tuple(range(0, 10 * frames, 10)),
        timestamps=tuple(float(frame) for frame in range(frames)),
        fps=10.0,
        total_frames=10 * frames,
        duration_s=float(frames),
    )


def shown(one: Clip) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in one.frames]


@pytest.mark.parametrize("unit", Permutation)
def test_a_shuffled_clip_has_the_same_frames_and_times_in_another_order(unit):
    """Frames and their indices move together; timestamps stay."""
    ordered = clip(8)
    shuffled = shuffled_clip(ordered, unit, 2, seed=1)
    assert sorted(shown(shuffled)) == shown(ordered) != shown(shuffled)
    assert shuffled.indices == tuple(10 * number for number in shown(shuffled))
    assert shuffled.timestamps == ordered.timestamps
    assert shuffled.key != ordered.key


def test_merged_pairs_stay_together():
    """Every pair of neighbours is a pair of the ordered clip."""
    numbers = shown(shuffled_clip(clip(8), Permutation.GRID, 2, seed=3))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert sorted(pairs) == [(0, 1), (2, 3), (4, 5), (6, 7)] != pairs


def test_a_short_last_pair_is_filled_as_the_processor_does():
    """Five frames make three pairs; the last one is 4, 4 wherever it ends up."""
    numbers = shown(shuffled_clip(clip(5), Permutation.GRID, 2, seed=3))
    assert sorted(zip(numbers[::2], numbers[1::2], strict=True)) == [(0, 1), (2, 3), (4, 4)]


@pytest.mark.parametrize("unit", Permutation)
def test_seeds_repeat_and_differ(unit):
    """Equal seeds give equal orders; over many seeds many orders come up."""
    orders = [tuple(shown(shuffled_clip(clip(8), unit, 2, seed))) for seed in (*range(12), 0)]
    assert orders[0] == orders[-1]
    assert len(set(orders)) > 6


@pytest.mark.parametrize("unit", Permutation)
@pytest.mark.parametrize(("frames", "kind"), [(1, MediaKind.IMAGE), (1, MediaKind.VIDEO)])
def test_one_frame_has_no_other_order(unit, frames, kind):
    """An image, or a video of a single frame, is returned as it is."""
    one = clip(frames, kind)
    assert shuffled_clip(one, unit, 2, seed=0) is one


def test_one_merged_pair_has_no_other_order():
    """The processor merges two frames."""
    one = clip(2)
    assert shuffled_clip(one, Permutation.GRID, 2, seed=0) is one
    assert shown(shuffled_clip(one, Permutation.FRAME, 2, seed=0)) == [1, 0]
