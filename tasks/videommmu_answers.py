"""VideoMMMU's official rule: read a letter, or the values in an open response, and compare.

Source: the leaderboard's parsers (EvolvingLMMs-Lab/VideoMMMU@88b4ac3, in lmms-eval as
``parse_videommmu_multi_choice_response`` and ``parse_open_response``), reimplemented with their
surprises: the pronoun ``I`` followed by a space is option I, a lower-case letter is never read,
``B`` followed by a line break is no answer, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.schema import Outcome, Sample, Score
from harness.scoring.answers import letters
from harness.scoring.prompts import lettered
from harness.scoring.rules import binary_score

QUESTION_TYPE = "question_type"
"""Key in a sample's source: the published type; any but `MULTIPLE_CHOICE` is an open question."""
LETTERED = "lettered"
"""Key in a sample's source, present if the published options begin with their letters."""
MULTIPLE_CHOICE = "multiple-choice"

_EDGE_MARKS = (",", ".", "!", "?", ";", ":", "'")

_LETTER_STYLES = (("{}.", "{}."), ("{}:", "{}:"), ("({})", "({})"), ("{} ", " {} "))
"""Patterns that recognise a letter and that locate it, best style first.

The original collects the letters of the first two styles together, but locates all of them by the
better style, in which a letter of the other style has no position and cannot win. Trying one style
after the other gives the same result.
"""

_FEWEST_WORDS_FOR_TEXT = 6

_CUES = (
    "could be ",
    "so ",
    "is ",
    "thus ",
    "therefore ",
    "final ",
    "answer ",
    "result ",
    "are ",
    "in total ",
    "total ",
    "identify ",
    "recognize ",
    "calculated as ",
    "counted as ",
    "measured as ",
    "observed as ",
    "concluded as ",
    "found to be ",
    "equals ",
    "determined to be ",
    "number of ",
    "value is ",
    "adds up to ",
    "have ",
    "has ",
)
"""Texts that an answer follows, also inside words; the order can matter (see `_shortest_tail`)."""

NUMBER_FORMS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # grouped by commas
    re.compile(r"-?(?<!\d)\d+(?:\.\d+)?[eE][+-]?\d+"),  # scientific
    re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d)(?![,\d])"),  # plain
)
"""The original's patterns, which find the same, with ``(?<!\\d)`` before a run of digits.

A number can begin inside a run only where it can begin with the run, which is tried first. Without
this every digit of a run is tried, and a long run takes quadratic time.
"""


def asked_with_options(sample: Sample) -> bool:
    """Return whether the official code asks for a letter; open questions can have options, too."""
    return sample.source[QUESTION_TYPE] == MULTIPLE_CHOICE


def score_official(sample: Sample, text: str) -> Score:
    """Score a response as the leaderboard does, which drops empty ones from the mean."""
    if text in ("", "API Error"):
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    if asked_with_options(sample):
        published = lettered(sample.options) if LETTERED in sample.source else sample.options
        letter = read_letter(text, published)
        return binary_score(None if letter is None else letter == sample.answer, letter)
    values, gold = read_values(text), normalized(sample.answer)
    if values == [""]:
        return binary_score(None, None)
    credited = [value for value in values if agrees(value, gold)]
    return binary_score(bool(credited), str((credited or values)[-1]).strip())


def read_letter(text: str, options: Sequence[str]) -> str | None:
    """Return the letter that a response names, None if no rule finds one.

    The first style that occurs decides; of several letters the last one wins. A response of six
    words or more that names no letter is searched for the texts of the options, in any case.
    """
    for mark in _EDGE_MARKS:  # one after the other, as in the original: "B,." keeps its comma
        text = text.strip(mark)
    text = f" {text} "
    known = letters(len(options))
    for seen, place in _LETTER_STYLES:
        named = {x: place.format(x) for x in known if seen.format(x) in text}
        if named:
            return _last_named(text, named)
    if len(text.split()) < _FEWEST_WORDS_FOR_TEXT:
        return None
    text = text.lower()
    quoted = {x: option.lower() for x, option in zip(known, options, strict=True)}
    quoted = {x: option for x, option in quoted.items() if option in text}
    return _last_named(text, quoted) if quoted else None


def read_values(text: str) -> list[str | float]:
    """Return every value that an open response may contain: phrases after a cue, then numbers.

    Each line has one phrase; a response without any cue is one phrase.
    """
    reply = text.strip().strip(".").lower()
    lines = reply.split("\n")
    phrases = [_shortest_tail(line, _CUES) for line in lines[:-1]]
    phrases.append(
        _shortest_tail(lines[-1], (*_CUES, "="))
    )  # an equation counts in the last line only
    phrases = [phrase for phrase in phrases if phrase and phrase not in _EDGE_MARKS] or [reply]
    numbers = [
        number for phrase in phrases for form in NUMBER_FORMS for number in form.findall(phrase)
    ]
    return [value for found in (*phrases, *numbers) for value in normalized(found)]


def normalized(text: str) -> list[str | float]:
    """Return a number rounded to two decimals, or the text in lower case.

    A single character becomes two strings, with a space before and after it, so that it does not
    match inside words.
    """
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def agrees(value: str | float, gold: Sequence[str | float]) -> bool:
    """Return whether a value is one of the gold numbers or contains one of the gold texts."""
    if isinstance(value, str):
        return any(isinstance(wanted, str) and wanted in value for wanted in gold)
    return value in gold


def _last_named(text: str, marks: dict[str, str]) -> str:
    return max(marks, key=lambda letter: text.rfind(marks[letter]))


def _shortest_tail(line: str, cues: Sequence[str]) -> str:
    """Return the shortest text after the last occurrence of any cue.

    An empty text is replaced by that of the next cue, as in the original.
    """
    shortest = ""
    for cue in cues:
        if cue in line:
            tail = line.rpartition(cue)[2].strip()
            if not shortest or len(tail) < len(shortest):
                shortest = tail
    return shortest
