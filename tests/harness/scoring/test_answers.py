"""Reading answers out of texts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.answers import (
    answer_or_text,
    answer_tag,
    letter_of,
    letters,
    number,
)

PAPER_PATTERN = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL)
PIECES = ["<answer>", "</answer>", "<Answer>", "answer>", "</", "B", " ", "\n", "\u2003", "\x1c"]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("<answer>B</answer>", "B"),
        ("<think>x</think>\n<answer>\n B \n</answer> bye", "B"),
        ("<answer>two\nlines</answer>", "two\nlines"),
        ("<answer>A</answer><answer>B</answer>", "A"),
        ("<think><answer>A</answer></think><answer>B</answer>", "A"),
        ("<answer><answer>A</answer>", "<answer>A"),
        ("</answer><answer>A</answer>", "A"),
        ("<answer></answer>", ""),
        ("<answer>B", None),
        ("B</answer>", None),
        ("<ANSWER>B</ANSWER>", None),
        ("< answer>B</answer>", None),
        ("", None),
    ],
)
def test_the_first_answer_pair_counts(text: str, content: str | None) -> None:
    """The content is that of the first pair, trimmed; no pair is told from an empty one."""
    assert answer_tag(text) == content


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_tags_are_read_as_the_papers_pattern_reads_them(text: str) -> None:
    """Reading tags without a regular expression finds what Video-R1's expression finds."""
    found = PAPER_PATTERN.search(text)
    assert answer_tag(text) == (found.group(1).strip() if found else None)


def test_an_unclosed_tag_before_endless_white_space_is_read_at_once() -> None:
    """A degenerate reply takes no longer than its length; the paper's pattern would take years."""
    assert answer_tag("<answer>" + " \n" * 500_000) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer> B </answer>", "B"),
        (" B \n", "B"),
        ("<think>x</think> B", "<think>x</think> B"),
        ("<answer> </answer>", "<answer> </answer>"),
        ("", ""),
    ],
)
def test_without_a_tagged_answer_the_whole_text_is_the_answer(text: str, answer: str) -> None:
    """A missing and an empty pair both fall back to the whole trimmed text."""
    assert answer_or_text(text) == answer


def test_letters_name_option_positions() -> None:
    """Positions and letters agree from A to Z."""
    assert letters(3) == ("A", "B", "C")
    assert letters(0) == ()
    assert [letter_of(position) for position in (0, 2, 25)] == ["A", "C", "Z"]


@pytest.mark.parametrize("count", [-1, 27])
def test_there_are_26_letters(count: int) -> None:
    """More options than letters is an error, not a wrong letter."""
    with pytest.raises(ValueError, match="0 to 26"):
        letters(count)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3.0),
        (" 3.5\n", 3.5),
        ("-2", -2.0),
        ("1,200", 1200.0),
        ("1e1", 10.0),
        (".5", 0.5),
        ("3 meters", None),
        ("3m", None),
        ("three", None),
        ("", None),
        (",", None),
        ("nan", None),
        ("inf", None),
        ("-Infinity", None),
        ("1e999", None),
    ],
)
def test_only_a_bare_finite_number_is_a_number(text: str, value: float | None) -> None:
    """Commas are dropped; units, words and what is no finite number are not read."""
    assert number(text) == value
