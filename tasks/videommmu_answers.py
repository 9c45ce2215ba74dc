"""VideoMMMU's official rule: read a letter or the values of an open reply, compare with the gold.

Source: the leaderboard parsers (EvolvingLMMs-Lab/VideoMMMU@88b4ac3, kept in lmms-eval as
``parse_videommmu_multi_choice_response`` and ``parse_open_response``), rebuilt in our own words
and with their surprises: the pronoun ``I`` followed by a space is option I, a lower-case letter is
never read, ``B`` followed by a line break is no answer, and nothing is ever guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.schema import Outcome, Sample, Score
from harness.scoring.answers import letters
from harness.scoring.prompts import lettered
from harness.scoring.rules import binary_score

QUESTION_TYPE = "question_type"
"""Key of a sample's source: the published type; anything but `MULTIPLE_CHOICE` is asked openly."""
LETTERED = "lettered"
"""Key of a sample's source, present where the published options begin with their letters."""
MULTIPLE_CHOICE = "multiple-choice"

_EDGE_MARKS = (",", ".", "!", "?", ";", ":", "'")

_LETTER_STYLES = (("{}.", "{}."), ("{}:", "{}:"), ("({})", "({})"), ("{} ", " {} "))
"""How a letter is recognised, and what its position is taken from, best style first.

The original collects the first two styles together, but then ranks all by the better of the two,
where a letter of the other style has no position and cannot win: one after the other is the same.
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
"""What an answer follows. Matched anywhere, inside words too; the order can decide (see _tail)."""

_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # grouped by commas
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),  # scientific
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),  # plain
)


def asked_with_options(sample: Sample) -> bool:
    """Tell whether the official code asks for a letter; an open question may have options, too."""
    return sample.source[QUESTION_TYPE] == MULTIPLE_CHOICE


def score_official(sample: Sample, text: str) -> Score:
    """Score a reply as the leaderboard does; an empty reply is left out of the mean there."""
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
    """Return the letter a reply names, None where no rule finds one.

    The first style with any hit decides; of several letters the one named last wins. A reply of
    six words or more that names no letter is searched for the option texts, case ignored.
    """
    for mark in _EDGE_MARKS:  # one after the other, as the original: "B,." keeps its comma
        text = text.strip(mark)
    text = f" {text} "
    known = letters(len(options))
    for seen, place in _LETTER_STYLES:
        named = {x: place.format(x) for x in known if seen.format(x) in text}
        if named:
            return _last(text, named)
    if len(text.split()) < _FEWEST_WORDS_FOR_TEXT:
        return None
    text = text.lower()
    quoted = {x: option.lower() for x, option in zip(known, options, strict=True)}
    quoted = {x: option for x, option in quoted.items() if option in text}
    return _last(text, quoted) if quoted else None


def read_values(text: str) -> list[str | float]:
    """Return everything an open reply may be answering: phrases after a cue, then their numbers.

    A phrase is taken per line; a reply without any cue is one phrase as a whole.
    """
    reply = text.strip().strip(".").lower()
    lines = reply.split("\n")
    phrases = [_tail(line, _CUES) for line in lines[:-1]]
    phrases.append(_tail(lines[-1], (*_CUES, "=")))  # a closing equation counts, an earlier not
    phrases = [phrase for phrase in phrases if phrase and phrase not in _EDGE_MARKS] or [reply]
    numbers = [number for phrase in phrases for form in _NUMBERS for number in form.findall(phrase)]
    return [value for found in (*phrases, *numbers) for value in normalized(found)]


def normalized(text: str) -> list[str | float]:
    """Return a number rounded to two decimals, else the lower-case text.

    A single character becomes two strings with a space before or after it, so that it is not
    found inside words.
    """
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def agrees(value: str | float, gold: Sequence[str | float]) -> bool:
    """Tell whether a read value is a gold number, or a text that contains a gold text."""
    if isinstance(value, str):
        return any(isinstance(wanted, str) and wanted in value for wanted in gold)
    return value in gold


def _last(text: str, marks: dict[str, str]) -> str:
    return max(marks, key=lambda letter: text.rfind(marks[letter]))


def _tail(line: str, cues: Sequence[str]) -> str:
    """Return the shortest text behind the last occurrence of any cue.

    An empty tail gives way to whatever the next cue leaves, as in the original.
    """
    shortest = ""
    for cue in cues:
        if cue in line:
            tail = line.rpartition(cue)[2].strip()
            if not shortest or len(tail) < len(shortest):
                shortest = tail
    return shortest
