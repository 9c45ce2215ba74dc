"""Spans of time: our reading of replies, gold spans, and their overlap by hand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Kind, Outcome, Sample
from harness.scoring.flexible.score import score_flexible
from harness.scoring.metrics import temporal_iou
from harness.scoring.rules import score_video_r1
from harness.scoring.spans import Span, parse_gold, read_span

GOLD = Span(24.3, 30.4)
THOUGHT = "<think>maybe 2 to 5</think>"


@pytest.mark.parametrize(
    "text",
    [
        "The event happens in 24.3 - 30.4 seconds.",
        "24.3 to 30.4",
        "between 24.3 and 30.4 seconds",
        "From 24.3s to 30.4s",
        "[24.3, 30.4]",
        "(24.3, 30.4)",
        '{"time": [24.3, 30.4]}',
        '{"start_time": "24.3", "end_time": "30.4"}',
        "starts at 24.3 seconds and ends at 30.4 seconds",
        "It begins around second 24.3 and finishes around second 30.4.",
        "Start: 24.3\nEnd: 30.4",
        "0:24.3 to 0:30.4",
        "Start time: 00:24.3, end time: 00:30.4",
        "from 00:00:24.3 until 00:00:30.4",
        "24.3–30.4s",
        "24.3-30.4: he runs",
        "about 24.3 to about 30.4",
        "\\boxed{[24.3, 30.4]}",
        "24.3 sec - 30.4 sec, i.e. 24.3 to 30.4",
        f"{THOUGHT}<answer>24.3 to 30.4</answer>",
        f"{THOUGHT}<answer>24.3-30.4</answer>",
        f"{THOUGHT}24.3 to 30.4",
        "<answer>24.3 to 30.4</answer> wait, 1 to 2",
        "<answer>1 to 2</answer> no: <answer>24.3 to 30.4</answer>",
        "<answer>24.3 to 30.4",
        "24.3 to 30.4 seconds (0.81 to 1.0)",
        "The video is 60 s long. 24.3 to 30.4 seconds.",
    ],
)
def test_a_span_is_read_as_a_careful_reader_would(text: str) -> None:
    """Whatever joins the times, whatever surrounds them."""
    assert read_span(text) == GOLD


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1:02:03 - 1:02:05.5", Span(3723, 3725.5)),
        ("0 - 4", Span(0, 4)),
        ("30.4 - 24.3", Span(30.4, 24.3)),
        ("7 to 7", Span(7, 7)),
        ("24 to 30.45", Span(24, 30.45)),
    ],
)
def test_times_stay_as_they_are_said(text: str, span: Span) -> None:
    """Clock times become seconds; a reversed or empty span is one."""
    assert read_span(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "", "24.3", "I cannot find it.", "10 - 12 and 24.3 - 30.4", "5 s to 6 s or 7 s to 8 s",
        "2024-11-12", "1-2-3", "v1.2 to 1.3", "<think>2 to 5", "<answer></answer> 2 to 5",
        "frames 3, 4 and 5", "24.3 to thirty", "A to B",
    ],
)  # fmt: skip
def test_no_span_or_several_are_no_answer(text: str) -> None:
    """Nothing is guessed."""
    assert read_span(text) is None


@given(st.text() | st.text("0123456789.:-, toands[]<answer>/"))
def test_any_text_can_be_read(text: str) -> None:
    """Two finite times or none."""
    span = read_span(text)
    assert span is None or all(moment >= 0 for moment in span)


@pytest.mark.parametrize("filler", ["9", "1 to ", " ", "[", "start ", "between ", "1 - ", "1:"])
def test_long_replies_cost_little(filler: str) -> None:
    """100,000 characters of a degenerate reply are read in well under a second."""
    begun = time.perf_counter()
    read_span(filler * (100_000 // len(filler)))
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("text", ["5", "10 to 5", "5 to 5", "five to ten", ""])
def test_a_gold_span_ends_after_it_starts(text: str) -> None:
    """Anything else is a mistake in the data."""
    with pytest.raises(ValueError, match="expected a span 'START to END'"):
        parse_gold(text)


@pytest.mark.parametrize(
    ("span", "overlap"),
    [
        ((5, 10), 1.0),
        ((5, 7.5), 0.5),
        ((0, 20), 0.25),
        ((7.5, 12.5), 1 / 3),
        ((5, 35), 1 / 6),
        ((10, 15), 0.0),  # touching
        ((0, 5), 0.0),
        ((11, 15), 0.0),  # apart
        ((10, 5), 0.0),  # reversed
        ((9, 6), 0.0),
        ((7, 7), 0.0),  # a point
        ((5, 5), 0.0),
    ],
)
def test_overlap_by_hand(span: tuple[float, float], overlap: float) -> None:
    """With 5 to 10 s: the common part over the hull."""
    assert temporal_iou(span, (5, 10)) == pytest.approx(overlap)


def test_overlap_keeps_the_noise_of_floats() -> None:
    """So that inclusive thresholds count what the field's code counts."""
    assert temporal_iou((2.4, 5.4), (2.4, 12.4)) == 0.30000000000000004


def question(gold: str = "5 to 10") -> Sample:
    return Sample(
        id="s", task="t", question="When?", answer=gold, kind=Kind.SPAN, category="c", cluster="v"
    )


@pytest.mark.parametrize(
    ("text", "value", "outcome", "answer"),
    [
        ("<answer>5 to 10</answer>", 1.0, Outcome.CORRECT, "5 to 10"),
        ("<answer>5 to 7.5</answer>", 0.5, Outcome.PARTIAL, "5 to 7.5"),
        ("<answer>11 to 15</answer>", 0.0, Outcome.WRONG, "11 to 15"),
        ("<answer>10 to 5</answer>", 0.0, Outcome.WRONG, "10 to 5"),
        ("<answer>soon</answer>", 0.0, Outcome.NO_ANSWER, None),
        ("", 0.0, Outcome.NO_ANSWER, None),
    ],
)
def test_both_of_our_scorers_give_the_overlap(
    text: str, value: float, outcome: Outcome, answer: str | None
) -> None:
    """Partial credit is the overlap itself."""
    for score in (score_video_r1(question(), text), score_flexible(question(), text)):
        assert (score.value, score.outcome, score.answer) == (value, outcome, answer)
