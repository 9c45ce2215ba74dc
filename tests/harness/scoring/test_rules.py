"""The Video-R1 scorer and what all scorers share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.rules import (
    after_answer_tag,
    binary_score,
    partial_score,
    score_video_r1,
)


def sample(kind: Kind, answer: str, options: tuple[str, ...] = ()) -> Sample:
    return Sample(
        id="t/1",
        task="t",
        question="?",
        answer=answer,
        kind=kind,
        category="c",
        cluster="v",
        options=options,
    )


CHOICE = sample(Kind.MULTIPLE_CHOICE, "B", ("left", "right", "behind"))
NUMERICAL = sample(Kind.NUMERICAL, "12.97")
COUNT = sample(Kind.REGRESSION, "4")
FREE = sample(Kind.FREE_FORM, "a cup")


@pytest.mark.parametrize(
    ("question", "text", "value", "outcome", "answer"),
    [
        (CHOICE, "<answer>B</answer>", 1.0, Outcome.CORRECT, "B"),
        (CHOICE, " B\n", 1.0, Outcome.CORRECT, "B"),
        (CHOICE, "<answer> </answer>", 0.0, Outcome.NO_ANSWER, None),
        (CHOICE, "<answer>A</answer>", 0.0, Outcome.WRONG, "A"),
        (CHOICE, "<answer>D</answer>", 0.0, Outcome.NO_ANSWER, None),
        (CHOICE, "<answer>b</answer>", 0.0, Outcome.NO_ANSWER, None),
        (CHOICE, "<answer>B. right</answer>", 0.0, Outcome.NO_ANSWER, None),
        (CHOICE, "<think>B", 0.0, Outcome.NO_ANSWER, None),
        (CHOICE, "", 0.0, Outcome.NO_ANSWER, None),
        (NUMERICAL, "<answer>12.970</answer>", 1.0, Outcome.CORRECT, "12.970"),
        (NUMERICAL, "<answer>13</answer>", 0.0, Outcome.WRONG, "13"),
        (NUMERICAL, "The answer is 12.97", 0.0, Outcome.NO_ANSWER, None),
        (COUNT, "<answer>4</answer>", 1.0, Outcome.CORRECT, "4"),
        (COUNT, "<answer>3</answer>", 0.5, Outcome.PARTIAL, "3"),
        (COUNT, "<answer>40</answer>", 0.0, Outcome.WRONG, "40"),
        (COUNT, "<answer>4 chairs</answer>", 0.0, Outcome.NO_ANSWER, None),
        (COUNT, "<answer>nan</answer>", 0.0, Outcome.NO_ANSWER, None),
        (FREE, "<answer>a cup</answer>", 0.0, Outcome.WRONG, "a cup"),
    ],
)
def test_video_r1_scores_by_the_kind_of_question(
    question: Sample, text: str, value: float, outcome: Outcome, answer: str | None
) -> None:
    """Values are the paper's; an unreadable answer is told from a wrong one and still worth 0."""
    assert score_video_r1(question, text) == Score(value=value, outcome=outcome, answer=answer)


def test_any_letter_is_an_answer_where_options_are_unknown() -> None:
    """A multiple-choice question without option texts accepts every capital letter."""
    question = sample(Kind.MULTIPLE_CHOICE, "B")
    assert score_video_r1(question, "Z").outcome is Outcome.WRONG
    assert score_video_r1(question, "B").outcome is Outcome.CORRECT


def test_a_gold_number_may_have_thousands_commas() -> None:
    """Commas of both sides are dropped before the comparison."""
    assert score_video_r1(sample(Kind.REGRESSION, "1,200"), "1,200").value == 1.0


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("<think>x</think><answer> B </answer>", "B"),
        ("<answer></answer>", ""),
        (" B ", " B "),
        ("<answer>B", "<answer>B"),
    ],
)
def test_a_rule_can_be_applied_to_the_tagged_answer_alone(text: str, seen: str) -> None:
    """The rule sees the content of the pair, even an empty one, and else the untouched text."""
    seen_by_rule = after_answer_tag(lambda _, answer: binary_score(True, answer))
    assert seen_by_rule(CHOICE, text).answer == seen


@pytest.mark.parametrize(
    ("value", "outcome"),
    [(0.0, Outcome.WRONG), (0.1, Outcome.PARTIAL), (0.9, Outcome.PARTIAL), (1.0, Outcome.CORRECT)],
)
def test_a_graded_score_has_an_outcome(value: float, outcome: Outcome) -> None:
    """Only the two ends of the scale are right or wrong."""
    assert partial_score(value, "x") == Score(value=value, outcome=outcome, answer="x")


@given(
    st.sampled_from([CHOICE, NUMERICAL, COUNT, FREE]),
    st.text() | st.text().map("<answer>{}</answer>".format) | st.floats().map(str),
)
def test_any_text_has_a_score(question: Sample, text: str) -> None:
    """No text raises, values stay from 0 to 1, and no answer is worth nothing."""
    score = score_video_r1(question, text)
    assert score.value is not None
    assert 0 <= score.value <= 1
    assert (score.answer is None) == (score.outcome is Outcome.NO_ANSWER)
