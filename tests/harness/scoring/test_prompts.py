"""The Video-R1 prompt, byte for byte, and option letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Kind
from harness.scoring.prompts import (
    lettered,
    unlettered,
    video_r1,
)

THINK = (
    "Please think about this question as if you were a human pondering deeply. Engage in an "
    "internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', 'oh, I see', "
    "'let's break it down', etc, or other natural language thought expressions It's encouraged to "
    "include self-reflection or verification in the reasoning process. Provide your detailed "
    "reasoning between the <think> and </think> tags, and then give your final answer between the "
    "<answer> and </answer> tags."
)
NUMBER = (
    " Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags."
)


def test_a_multiple_choice_question_is_asked_word_for_word() -> None:
    """No break before ``Options:``, one after each option, so that a blank line follows them."""
    prompt = video_r1("Left or right?", Kind.MULTIPLE_CHOICE, ["left", "right"])
    assert prompt == (
        f"Left or right?Options:\nA. left\nB. right\n\n{THINK}"
        " Please provide only the single option letter (e.g., A, B, C, D, etc.)"
        " within the <answer> </answer> tags."
    )


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        (Kind.NUMERICAL, NUMBER),
        (Kind.REGRESSION, NUMBER),
        (
            Kind.OCR,
            " Please transcribe text from the image/video clearly and provide your text answer"
            " within the <answer> </answer> tags.",
        ),
        (
            Kind.FREE_FORM,
            " Please provide your text answer within the <answer> </answer> tags.",
        ),
    ],
)
def test_other_questions_are_asked_word_for_word(kind: Kind, suffix: str) -> None:
    """Each kind of answer has its own last sentence and no options."""
    assert video_r1("How many?", kind) == f"How many?\n{THINK}{suffix}"


def test_letters_can_take_another_form() -> None:
    """MVBench puts letters in brackets."""
    assert lettered(["x", "y"], "({letter}) {text}") == ["(A) x", "(B) y"]


@given(st.lists(st.text(), max_size=26))
def test_letters_come_off_as_they_went_on(texts: list[str]) -> None:
    """Taking the letters away gives back the texts whatever they are."""
    assert unlettered(lettered(texts)) == tuple(texts)


@pytest.mark.parametrize(
    "options",
    [
        ("left", "right"),
        ("A. left", "right"),
        ("B. left", "A. right"),
        ("A) left", "B) right"),
        ("A cat", "B movie"),
        (),
    ],
)
def test_texts_that_are_not_all_lettered_stay_as_they_are(options: tuple[str, ...]) -> None:
    """One option without its own letter means that none of them carries a letter."""
    assert unlettered(options) == options
