"""Think-answer consistency: what a thought concludes, against what is answered."""

from __future__ import annotations

import pytest

from harness.schema import Kind, Sample
from trainer.loops.groups import group_metrics
from trainer.rewards import CompletionGroup, ScoredCompletion
from trainer.rewards.completions import Rollout
from trainer.rewards.consistency import conclusion, is_consistent


def sample(kind: Kind = Kind.MULTIPLE_CHOICE, question: str = "Which way does it go?") -> Sample:
    options = ("to the left", "to the right", "upwards", "it stands still")
    return Sample(
        id="rows/1", task="train", question=question, answer="A", kind=kind, category=kind.value,
        cluster="clip", options=options if kind is Kind.MULTIPLE_CHOICE else (),
    )  # fmt: skip


def text(thought: str, answer: str) -> str:
    return f"<think>{thought}</think>\n<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("thought", "answer", "consistent"),
    [
        ("It moves on. The answer is B.", "B", True),
        ("It moves on. The answer is B.", "A", False),
        (
            "First A seems right. But the last frame shows the edge, so the answer is (C).",
            "C",
            True,
        ),
        (
            "First A seems right. But the last frame shows the edge, so the answer is (C).",
            "A",
            False,
        ),
        ("Option A is wrong, as the car is on the other side. It goes to the right.", "B", True),
        ("The car is at the left first. In the end it goes to the right.", "A", False),
        ("Therefore it goes upwards.", "C", True),
        ("I see a car.", "B", None),  # nothing is concluded
        ("It is either A or B.", "A", None),  # a hedge is no conclusion
        ("The answer is B.", "", None),  # nothing is answered
        ("", "B", None),
    ],
)
def test_multiple_choice(thought, answer, consistent):
    """Explicit statements anywhere, else the last sentence."""
    assert is_consistent(sample(), text(thought, answer)) is consistent


@pytest.mark.parametrize(
    ("kind", "thought", "answer", "consistent"),
    [
        (Kind.NUMERICAL, "Two from the left and one from the right, so 3.", "3", True),
        (Kind.NUMERICAL, "Two from the left and one from the right, so 3.", "4", False),
        (Kind.REGRESSION, "The table is about 1.5 m long.", "1.50", True),
        (Kind.SPAN, "The rain begins at 5 s. It lasts from 5 to 10 seconds.", "5 to 10", True),
        (Kind.SPAN, "The rain lasts from 5 to 10 seconds.", "5 to 12", False),
        (Kind.OCR, "It says STOP.", "STOP", None),
        (Kind.FREE_FORM, "A dog.", "a dog", None),
    ],
)
def test_other_problem_types(kind, thought, answer, consistent):
    """Numbers and spans are compared; texts are not."""
    assert is_consistent(sample(kind, "How many?"), text(thought, answer)) is consistent


def test_a_reply_without_a_thought_or_with_an_open_one_says_nothing():
    """There is nothing to compare."""
    assert is_consistent(sample(), "<answer>B</answer>") is None
    assert is_consistent(sample(), "<think>The answer is B.") is None
    assert conclusion(sample(), "  ") is None


def test_share_and_coverage_are_logged():
    """Three of four can be read, two of these agree."""
    texts = [
        text("The answer is B.", "B"),
        text("The answer is B.", "B"),
        text("The answer is B.", "C"),
        text("I see a car.", "C"),
    ]
    rollouts = tuple(
        Rollout(row=0, ordered=ScoredCompletion(text=one, tokens=3, truncated=False, accuracy=0.0))
        for one in texts
    )
    metrics = group_metrics([CompletionGroup(sample=sample(), rollouts=rollouts)])
    assert metrics["consistency/think_answer"] == pytest.approx(2 / 3)
    assert metrics["consistency/read"] == 3 / 4
