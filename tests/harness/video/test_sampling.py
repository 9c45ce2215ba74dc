"""Index and size rules against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import MediaError
from harness.schema import FramePolicy, FrameRule
from harness.video.sampling import (
    frame_size,
    indices,
    span,
)

VIDEO_R1 = FramePolicy(rule=FrameRule.VIDEO_R1)
SEGMENTS = FramePolicy(rule=FrameRule.SEGMENTS)


def linspace(frames: int) -> FramePolicy:
    return FramePolicy(rule=FrameRule.LINSPACE, max_frames=frames)


@pytest.mark.parametrize(
    ("total", "fps", "expected"),
    [
        (1, 30.0, (0,)),  # even-floor would leave none
        (2, 30.0, (0, 1)),
        (3, 30.0, (0, 2)),  # no more than even-floor(3)
        (30, 30.0, (0, 10, 19, 29)),  # 2 frames by rate, at least 4: steps of 9.67
        (70, 20.0, (0, 14, 28, 41, 55, 69)),  # 7 by rate, evened to 6: steps of 13.8
        (50, 10.0, (0, 5, 11, 16, 22, 27, 33, 38, 44, 49)),  # 5 s: 10 frames, below the cap
        (31, 1.0, tuple(range(0, 31, 2))),  # the cap of 16: steps of 2
    ],
)
def test_video_r1(total: int, fps: float, expected: tuple[int, ...]) -> None:
    """Two frames per second, an even number from 4 to 16, both ends included."""
    assert indices(VIDEO_R1, total=total, fps=fps) == expected


def test_video_r1_odd_cap() -> None:
    """A cap of 5 frames allows 4."""
    policy = FramePolicy(max_frames=5)
    assert indices(policy, total=100, fps=10.0) == (0, 33, 66, 99)


def test_video_r1_in_a_span() -> None:
    """From 1 s to 3 s at 10 fps there are frames 10 to 30, of which 4 are taken."""
    assert indices(VIDEO_R1, total=100, fps=10.0, start_s=1.0, end_s=3.0) == (10, 17, 23, 30)


def test_span_end_beyond_the_clip() -> None:
    """An end after the last frame means the last frame."""
    found = indices(linspace(3), total=21, fps=10.0, start_s=1.0, end_s=99.0)
    assert found == (10, 15, 20)


@pytest.mark.parametrize(
    ("frames", "total", "expected"),
    [
        (4, 10, (0, 3, 6, 9)),
        (3, 10, (0, 4, 9)),  # 4.5 is cut to 4
        (3, 12, (0, 5, 11)),  # 5.5 is cut to 5
        (4, 9, (0, 2, 5, 8)),  # 2.67 and 5.33
        (8, 5, (0, 0, 1, 1, 2, 2, 3, 4)),  # steps of 4/7
        (1, 10, (0,)),
        (8, 1, (0,) * 8),
    ],
)
def test_linspace(frames: int, total: int, expected: tuple[int, ...]) -> None:
    """Evenly spaced and cut to whole numbers, first and last included, repeated if too few."""
    assert indices(linspace(frames), total=total, fps=30.0) == expected


def test_linspace_is_numpys_with_whole_numbers() -> None:
    """The publishers' samplers, on 5,000 random lengths and the short ones."""
    generator = np.random.default_rng(0)
    lengths = [*range(1, 70), *generator.integers(1, 200_000, 5_000).tolist()]
    for total in lengths:
        for frames in (1, 8, 32):
            expected = np.linspace(0, total - 1, frames, dtype=int).tolist()
            assert list(indices(linspace(frames), total=total, fps=30.0)) == expected


@pytest.mark.parametrize(
    ("total", "fps", "expected"),
    [
        (125, 25.0, (0, 31, 62, 93, 124)),  # 5 whole seconds: steps of 31
        (149, 25.0, (0, 37, 74, 111, 148)),  # 5.96 s are 5 whole seconds
        (10, 25.0, (0,)),  # less than a second, on which the publisher fails
        (3000, 30.0, (0, 428, 856, 1285, 1713, 2142, 2570, 2999)),  # the cap of 8: 428.43
        (3, 1.0, (0, 1, 2)),
        (2, 0.5, (0, 1)),  # 4 seconds and only 2 frames
    ],
)
def test_frames_per_whole_second(total: int, fps: float, expected: tuple[int, ...]) -> None:
    """MMVU takes a frame per whole second, both ends included, positions rounded down."""
    policy = FramePolicy(rule=FrameRule.PER_SECOND, fps=1.0, max_frames=8)
    assert indices(policy, total=total, fps=fps) == expected


def test_middles_of_rounded_segments() -> None:
    """Video-MME: 12 frames in 4 segments of 2.75 have borders 0, 3, 6 (5.5 to even), 8, 11."""
    policy = FramePolicy(rule=FrameRule.MIDDLES, max_frames=4)
    assert indices(policy, total=12, fps=1.0) == (1, 4, 7, 9)
    assert indices(policy, total=1, fps=1.0) == (0, 0, 0, 0)


def test_inner_points() -> None:
    """Video-MME-v2: 4 points between 5 parts of 20.2 frames, and no point at either end."""
    policy = FramePolicy(rule=FrameRule.INNER, max_frames=4)
    assert indices(policy, total=101, fps=1.0) == (20, 40, 60, 80)
    assert indices(policy, total=2, fps=1.0) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("total", "fps", "frames", "count", "last"),
    [
        (5704, 30.0, 16, 16, 5340),  # steps of 356
        (270, 29.97, 64, 9, 240),  # 9.009 s: 9 frames, 30 apart
        (89349, 25.0, 64, 64, 87948),  # steps of 1,396
        (20, 30.0, 64, 1, 0),  # less than a second, of which the publisher takes none
    ],
)
def test_stride(total: int, fps: float, frames: int, count: int, last: int) -> None:
    """LongVideoBench: equal steps from the first frame on; the end of the video is not reached."""
    policy = FramePolicy(rule=FrameRule.STRIDE, max_frames=frames)
    found = indices(policy, total=total, fps=fps)
    assert (found[0], len(found), found[-1]) == (0, count, last)


def test_segments_of_a_video() -> None:
    """161 frames in 16 segments of 10: the middles 5, 15, ..., 155."""
    assert indices(SEGMENTS, total=161, fps=30.0) == tuple(range(5, 156, 10))


def test_segments_round_half_to_even() -> None:
    """Segments of 2.5 begin at 0, 2 (2.5), 5 and 8 (7.5), each plus 1.25."""
    policy = FramePolicy(rule=FrameRule.SEGMENTS, max_frames=4)
    assert indices(policy, total=11, fps=1.0) == (1, 3, 6, 9)


def test_segments_in_a_span() -> None:
    """From 3.1 s to 11.1 s at 10 fps: 31 to 111, segments of 20 with middles 41, 61, 81, 101."""
    policy = FramePolicy(rule=FrameRule.SEGMENTS, max_frames=4)
    found = indices(policy, total=400, fps=10.0, start_s=3.1, end_s=11.1)
    assert found == (41, 61, 81, 101)


def test_segments_of_a_folder() -> None:
    """A folder counts from 1 to its number of files: 33 files, segments of 2 from 1."""
    assert indices(SEGMENTS, total=33, fps=3.0, first=1) == tuple(range(2, 33, 2))


def test_segments_of_a_folder_in_a_span() -> None:
    """A span that starts at 0 s starts at file 1; its end of 3 s is file 9."""
    policy = FramePolicy(rule=FrameRule.SEGMENTS, max_frames=4)
    found = indices(policy, total=50, fps=3.0, start_s=0.0, end_s=3.0, first=1)
    assert found == (2, 4, 6, 8)


def test_segments_repeat_in_a_short_clip() -> None:
    """The official rule names frames twice where there are fewer than segments."""
    policy = FramePolicy(rule=FrameRule.SEGMENTS, max_frames=4)
    assert indices(policy, total=3, fps=1.0) == (0, 0, 1, 2)


def _notebooks_frames(bound: tuple[float, float], fps: float, last: int) -> list[int]:
    """Return the frames of MVBench's notebook for a span, in its own arithmetic."""
    start, end = round(bound[0] * fps), min(round(bound[1] * fps), last)
    size = (end - start) / 16
    return [int(start + size / 2 + np.round(size * step)) for step in range(16)]


def test_segments_are_the_notebooks_on_random_spans() -> None:
    """Equal where its frames exist; refused where the notebook asks for frames behind the end."""
    generator = np.random.default_rng(1)
    refused = 0
    for _ in range(5_000):
        total, fps = int(generator.integers(1, 400)), float(generator.choice([24.0, 29.97, 30.0]))
        low, high = sorted(generator.uniform(0, 1.2 * total / fps, 2))
        expected = _notebooks_frames((low, high), fps, total - 1)
        if max(expected) < total:
            found = indices(SEGMENTS, total=total, fps=fps, start_s=low, end_s=high)
            assert list(found) == expected
        else:
            refused += 1
            with pytest.raises(MediaError, match="no frame lies between"):
                indices(SEGMENTS, total=total, fps=fps, start_s=low, end_s=high)
    assert refused > 100


def test_a_span_right_behind_the_end_shows_the_last_frames() -> None:
    """30 frames at 30 fps from 1 s to 1 s: from frame 30 back to 29 in steps of 1/16.

    The middle of the first step is 29.97; from the tenth step on one whole frame is taken off.
    """
    found = indices(SEGMENTS, total=30, fps=30.0, start_s=1.0, end_s=1.0)
    assert found == (29,) * 9 + (28,) * 7
    with pytest.raises(MediaError, match=r"between 1\.0 s and 1\.0 s"):
        indices(linspace(8), total=30, fps=30.0, start_s=1.0, end_s=1.0)
    with pytest.raises(MediaError, match=r"between 0\.9 s and 0\.1 s"):
        indices(SEGMENTS, total=30, fps=30.0, start_s=0.9, end_s=0.1)


@pytest.mark.parametrize("policy", [VIDEO_R1, SEGMENTS, linspace(16)], ids=lambda p: p.rule.value)
@pytest.mark.parametrize("first", [0, 1])
def test_every_index_is_in_the_clip(policy: FramePolicy, first: int) -> None:
    """Whatever the length, indices are in bounds and in time order, and there is at least one."""
    for total in range(1, 80):
        found = indices(policy, total=total, fps=7.5, first=first)
        assert found
        assert list(found) == sorted(found)
        assert found[0] >= first
        assert found[-1] <= first + total - 1


def test_empty_span_is_an_error() -> None:
    """A span behind the end of the clip is named with the length of the clip."""
    with pytest.raises(MediaError, match=r"between 30\.0 s and 40\.0 s; the clip has 100 frames"):
        indices(VIDEO_R1, total=100, fps=10.0, start_s=30.0, end_s=40.0)


def test_no_frames_is_an_error() -> None:
    """A clip without frames has no indices."""
    with pytest.raises(MediaError, match="no frames"):
        span(VIDEO_R1, total=0, fps=10.0, start_s=None, end_s=None)


@pytest.mark.parametrize(
    ("size", "bounds", "patch_multiple", "expected"),
    [
        ((280, 280), (100, 10**6), 28, (280, 280)),
        ((294, 290), (100, 10**6), 28, (280, 280)),  # 10.5 and 10.36 round to 10
        ((1920, 1080), (100_352, 200_704), 28, (588, 336)),  # shrunk by 45/14: 597.3 x 336
        ((160, 120), (100_352, 200_704), 28, (392, 280)),  # grown by 2.286: 365.8 x 274.3
        ((320, 240), (100, 10**6), 32, (320, 256)),  # 7.5 rounds to 8
        ((5, 5), (1, 10**6), 28, (28, 28)),
    ],
)
def test_frame_size(
    size: tuple[int, int], bounds: tuple[int, int], patch_multiple: int, expected: tuple[int, int]
) -> None:
    """Sides are on the grid, the aspect is kept, the pixel bounds hold."""
    low, high = bounds
    assert (
        frame_size(*size, min_pixels=low, max_pixels=high, patch_multiple=patch_multiple)
        == expected
    )


def test_too_narrow_a_frame_is_an_error() -> None:
    """An aspect above 200 cannot be kept."""
    assert frame_size(200, 1, min_pixels=1, max_pixels=10**6, patch_multiple=28) == (196, 28)
    with pytest.raises(MediaError, match="201x1"):
        frame_size(201, 1, min_pixels=1, max_pixels=10**6, patch_multiple=28)
