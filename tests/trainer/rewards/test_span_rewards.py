"""Rewards of answers that name a span: by hand, and equal to the evaluation's overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import UsageError
from harness.schema import Clip, Kind, MediaKind, Sample
from harness.scoring.metrics import temporal_iou as overlap
from harness.scoring.spans import parse_gold, read_span
from trainer.config.rl_sections import RewardUse
from trainer.rewards.registry import choose_rewards, find_reward
from trainer.rewards.rewards import accuracy
from trainer.rewards.spans import (
    DURATION,
    SPAN_REWARDS,
    temporal_iou,
    timestamp_iou,
    timestamp_iou_published,
    with_duration,
)

SAMPLE = Sample(
    id="rows/1", task="train", question="When does it rain?", answer="5 to 10", kind=Kind.SPAN,
    category="temporal grounding", cluster="clip", source={DURATION: "30.0"},
)  # fmt: skip


def answer(text: str) -> str:
    return f"<think>so</think>\n<answer>{text}</answer>"


@pytest.mark.parametrize(
    ("said", "plain", "clipped", "published"),
    [
        # gold 5 to 10 of 30 s; overlap / hull * (1 - |start off| / 30) * (1 - |end off| / 30)
        ("5 to 10", 1.0, 1.0, 1.0),
        ("5 to 7.5", 0.5, 0.5 * (1 - 2.5 / 30), 0.5 * (1 - 2.5 / 30)),  # 0.4583
        ("0 to 20", 0.25, 0.25 * (25 / 30) * (20 / 30), 0.25 * (25 / 30) * (20 / 30)),  # 0.1389
        ("5 to 35", 1 / 6, 1 / 6 * (5 / 30), 1 / 6 * (5 / 30)),  # 0.0278
        ("5 to 95", 5 / 90, 0.0, 5 / 90 * (1 - 85 / 30)),  # -0.1019: further off than the video
        ("10 to 15", 0.0, 0.0, 0.0),  # touching
        ("0 to 5", 0.0, 0.0, 0.0),
        ("11 to 15", 0.0, 0.0, 0.0),  # apart
        ("10 to 5", 0.0, 0.0, 0.0),  # reversed
        ("20 to 5", 0.0, 0.0, 0.0),
        ("7 to 7", 0.0, 0.0, 0.0),  # of no length
        ("", 0.0, 0.0, 0.0),  # empty
        ("it rains", 0.0, 0.0, 0.0),
        ("5 to 10, or 20 to 25", 0.0, 0.0, 0.0),  # several are no answer
        ("[5, 10]", 1.0, 1.0, 1.0),
        ("0:05 - 0:10", 1.0, 1.0, 1.0),
    ],
)
def test_spans_by_hand(said, plain, clipped, published):
    """Plain overlap, Time-R1's clipped, and as its code has it."""
    text = answer(said)
    assert temporal_iou(SAMPLE, text) == pytest.approx(plain)
    assert timestamp_iou(SAMPLE, text) == pytest.approx(clipped)
    assert timestamp_iou_published(SAMPLE, text) == pytest.approx(published, abs=1e-12)
    assert 0 <= timestamp_iou(SAMPLE, text) <= plain <= 1


def test_both_ends_far_off_are_not_paid_for():
    """Two factors below 0 have a product above it: each is clipped, not the product."""
    long = replace(SAMPLE, answer="50 to 60", source={DURATION: "10.0"})
    text = answer("10 to 95")
    assert timestamp_iou_published(long, text) == pytest.approx(10 / 85 * (1 - 4) * (1 - 3.5))
    assert timestamp_iou(long, text) == 0


def test_an_answer_outside_of_the_tags_earns_nothing():
    """As for every reward: the text before them is the thought."""
    assert temporal_iou(SAMPLE, "5 to 10") == 0
    assert temporal_iou(SAMPLE, "<answer>5 to 10") == 0


@pytest.mark.parametrize("said", ["5 to 7.5", "0 to 20", "10 to 5", "11 to 15", "6 s to 9 s"])
def test_reward_accuracy_and_evaluation_are_one_metric(said):
    """The evaluation's reader and its overlap."""
    span, gold = read_span(answer(said)), parse_gold(SAMPLE.answer)
    assert span is not None
    assert temporal_iou(SAMPLE, answer(said)) == overlap(span, gold)
    assert accuracy(SAMPLE, answer(said)) == overlap(span, gold)


def clip(kind: MediaKind = MediaKind.VIDEO, seconds: float = 12.5) -> Clip:
    return Clip(
        key="a", kind=kind, frames=np.zeros((1, 2, 2, 3), np.uint8), indices=(0,),
        timestamps=(0.0,), fps=1.0, total_frames=1, duration_s=seconds,
    )  # fmt: skip


def test_the_length_is_that_of_the_decoded_video():
    """Images have none; of two videos neither is the one that is meant."""
    known = with_duration(replace(SAMPLE, source={}), [clip(MediaKind.IMAGE), clip()])
    assert known.source == {DURATION: "12.5"}
    assert with_duration(SAMPLE, [clip(), clip()]) is SAMPLE
    assert with_duration(SAMPLE, []) is SAMPLE


@pytest.mark.parametrize("source", [{}, {DURATION: "0"}, {DURATION: "nan"}])
def test_an_unknown_length_ends_the_training_with_the_row(source):
    """Neither 0 nor a guess: the reward says what it needs."""
    with pytest.raises(UsageError, match=r"reward timestamp_iou, row rows/1, update 3.*one video"):
        find_reward("timestamp_iou").score(replace(SAMPLE, source=source), answer("5 to 10"), 3)


def test_they_are_named_in_a_recipe_and_apply_to_spans_alone():
    """A row of another type has none of them, and counts in no sum and no mean."""
    chosen = choose_rewards([RewardUse(use=one.name, weight=0.5) for one in SPAN_REWARDS], own=[])
    assert [(one.name, one.weight) for one in chosen] == [
        ("temporal_iou", 0.5), ("timestamp_iou", 0.5), ("timestamp_iou_published", 0.5),
    ]  # fmt: skip
    letter = replace(SAMPLE, kind=Kind.MULTIPLE_CHOICE, answer="A")
    assert all(np.isnan(one.score(letter, answer("A"), 1)) for one in chosen)
    with pytest.raises(UsageError, match=r"there are .*temporal_iou, timestamp_iou"):
        find_reward("temporal_iuo")
