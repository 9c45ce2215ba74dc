"""Why two scorers give the same text different scores: one class per pair of readings.

The classes say what the scorers saw, in the words of a reader of answers; they are settled by the
two scores and the text alone, so that every disagreement belongs to exactly one. `Reason.OTHER`
means that this module does not understand it: the parity tests let none through.
"""

from __future__ import annotations

import re
from enum import StrEnum

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import (
    letters,
    number,
)


class Reason(StrEnum):
    """What sets two scores of one text apart, in the order in which it is looked for."""

    EMPTY = "empty answer"
    """There is nothing to read; rules differ in what that is worth."""
    UNSCORED = "left out by one rule"
    """One of the scorers drops the item from its mean."""
    PART = "part of the right option counts"
    """One rule is content with any part of the gold option, a lone bracket for example."""
    BOUNDARY = "boundary of a threshold"
    """Both read the same number; it stands at the edge of a tolerance."""
    COMPARISON = "same answer, compared otherwise"
    OTHER_NUMBER = "another number is read"
    OTHER_LETTER = "another letter is read"
    OTHER_TEXT = "another text is read"
    TAG = "tag"
    """One rule does not look inside, or behind, ``<answer>``, ``<think>`` and the like."""
    SPACE = "space around the answer"
    CASE = "case"
    MARKS = "marks around the answer"
    TRAILING = "trailing text"
    LEADING = "text before the answer"
    NOTATION = "notation of the number"
    IN_WORDS = "number in words"
    OPTION_TEXT = "text or label of an option"
    INSIDE_WORDS = "letter inside a word"
    BARE = "bare letter is no answer"
    """The question as one rule knows it asks for words; `video-r1` recasts it with letters."""
    OTHER = "unexplained"


_TAG = re.compile(r"</?[A-Za-z]\w*>")
_MARKS = re.compile(r"[\W_]+")
_MARKUP = re.compile(r"\\(?:boxed|text|mathbf)")
_NUMERIC = (Kind.REGRESSION, Kind.NUMERICAL)


def differ(one: Score, other: Score) -> bool:
    """Tell whether two scores count differently.

    Why an answer is worth nothing, wrong or not found, makes no difference to any score.
    """
    return one.value != other.value


def reason(sample: Sample, text: str, one: Score, other: Score) -> Reason:
    """Name the class of a disagreement between two scores of `text`."""
    if not text.strip():
        return Reason.EMPTY
    if (one.value is None) != (other.value is None):
        return Reason.UNSCORED
    read, also = _read(one), _read(other)
    if any(score.value and _read(score) is None for score in (one, other)):
        return Reason.PART
    if read is not None and also is not None:
        return _of_two_answers(sample, read, also)
    if read is None and also is None:
        return Reason.OTHER
    if _TAG.search(text):
        return Reason.TAG
    return _of_a_number(text) if sample.kind in _NUMERIC else _of_a_choice(sample, text)


def _read(score: Score) -> str | None:
    return None if score.outcome in (Outcome.NO_ANSWER, Outcome.TRUNCATED) else score.answer


def _of_two_answers(sample: Sample, read: str, also: str) -> Reason:
    numbers = number(read), number(also)
    if sample.kind in _NUMERIC and None not in numbers:
        if numbers[0] != numbers[1]:
            return Reason.OTHER_NUMBER
        return Reason.BOUNDARY if sample.kind is Kind.REGRESSION else Reason.COMPARISON
    if read.casefold() == also.casefold():
        return Reason.COMPARISON
    choice = sample.kind is Kind.MULTIPLE_CHOICE and len(read) == len(also) == 1
    return Reason.OTHER_LETTER if choice else Reason.OTHER_TEXT


def _of_a_number(text: str) -> Reason:
    if number(text) is not None:
        return Reason.NOTATION if "," in text or text == text.strip() else Reason.SPACE
    found = re.search(r"\d", text)
    if found is None:
        return Reason.IN_WORDS if re.search(r"[A-Za-z]", text) else Reason.NOTATION
    before = text[: found.start()].strip()
    if not before:
        return Reason.TRAILING
    return Reason.LEADING if any(map(str.isalnum, before)) else Reason.MARKS


def _of_a_choice(sample: Sample, text: str) -> Reason:
    known = letters(max(len(sample.options), 4))
    bare = _MARKS.sub("", _MARKUP.sub("", text))
    if bare.upper() in known:
        if text.strip() != bare:
            return Reason.MARKS
        if bare not in known:
            return Reason.CASE
        return Reason.BARE if text == bare else Reason.SPACE
    words = [word.upper() for word in _MARKS.split(text) if word]
    if words and words[0] in known:
        return Reason.TRAILING
    if any(word in known for word in words):
        return Reason.LEADING
    if any(wording in text.casefold() for wording in _wordings(sample)):
        return Reason.OPTION_TEXT
    return Reason.INSIDE_WORDS if any(x in text.upper() for x in known) else Reason.OTHER


def _wordings(sample: Sample) -> set[str]:
    """Return option texts, and labels such as ``Option 1``, that a reply may quote."""
    lines = "\n".join(sample.source.values()).split("\n")
    labels = {line.partition(": ")[0] for line in lines if ": " in line}
    return {wording.casefold() for wording in (*sample.options, *labels)}
