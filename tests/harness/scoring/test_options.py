"""Options of a question in other places: what moves, what must not, and what an answer names."""

from dataclasses import replace

import pytest

from harness.schema import Kind
from harness.scoring.options import FixedOptionsError, chosen_option, rotate, rotate_options
from tests.toys import sample

FOUR = ("left", "right", "up", "down")


def _asked(options=FOUR, answer="B", kind=Kind.MULTIPLE_CHOICE):
    return replace(sample(1), options=options, answer=answer, kind=kind)


def test_options_move_down_and_the_gold_answer_moves_with_its_text():
    """One place: the last option is A, and right, which was B, is C."""
    moved = rotate_options(_asked(), 1)
    assert moved.options == ("down", "left", "right", "up")
    assert moved.answer == "C"


@pytest.mark.parametrize("answer", "ABCD")
@pytest.mark.parametrize("places", [1, 2, 3])
def test_the_letter_of_the_gold_answer_has_the_same_text_before_and_after(places, answer):
    """Whatever the gold answer and the places."""
    asked = _asked(answer=answer)
    moved = rotate_options(asked, places)
    assert moved.options["ABCD".index(moved.answer)] == asked.options["ABCD".index(answer)]


def test_as_many_turns_as_options_end_where_they_began():
    """Four places of four options are none."""
    assert rotate(FOUR, 4) == FOUR
    assert rotate(rotate(FOUR, 1), 3) == FOUR


@pytest.mark.parametrize(
    "option",
    [
        "All of the above", "none of the above", "Both A and B", "A and C", "(A), (B)",
        "either of the options", "Neither of the others", "Answer B is right", "A or D",
        "Both of the following", "Two of the above statements", "A & B",
    ],
)  # fmt: skip
def test_options_that_speak_of_options_are_not_moved(option):
    """They would mean others, or be right no longer."""
    with pytest.raises(FixedOptionsError, match="speaks of other options"):
        rotate_options(_asked((*FOUR[:3], option)), 1)


@pytest.mark.parametrize(
    "option",
    ["above the table", "Both hands", "a cat and a dog", "All the balls fall", "Plan A",
     "the other", "none of these"],
)  # fmt: skip
def test_options_that_only_sound_alike_are_moved(option):
    """Places, people and things are no options."""
    assert option in rotate_options(_asked((*FOUR[:3], option)), 1).options


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (_asked(kind=Kind.NUMERICAL, options=(), answer="4"), "not multiple choice"),
        (_asked(options=("only",), answer="A"), "not multiple choice"),
        (_asked(answer="right"), "gold answer is not the letter"),
        (_asked(answer="E"), "gold answer is not the letter"),
        (_asked(options=("b", "x", "y", "z")), "text is the letter of an option"),
        (_asked(options=("(C)", "x", "y", "z")), "text is the letter of an option"),
    ],
)
def test_a_question_that_cannot_be_rotated_says_why(asked, reason):
    """Open questions, golds that are no letters, options that are letters."""
    with pytest.raises(FixedOptionsError, match=reason):
        rotate_options(asked, 1)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("B", 1), ("b", 1), ("(B)", 1), ("B.", 1), ("B. right", 1), ("(D) down", 3), ("right", 1),
        ("Right.", 1), ("Option 2: right", 1), (" C ", 2), ("E", None), ("sideways", None),
        ("", None), (None, None), ("I see it", None), ("not left at all", None),
    ],
)  # fmt: skip
def test_a_stored_answer_names_an_option_by_letter_text_or_line(answer, place):
    """Anything else names none."""
    assert chosen_option(answer, FOUR) == place


def test_the_text_of_two_options_names_neither_unless_they_are_equal():
    """The end of a line may be two options' text; equal options are one."""
    assert chosen_option("Option 1: big red", ("red", "big red")) is None
    assert chosen_option("red", ("red", "red")) == 0
