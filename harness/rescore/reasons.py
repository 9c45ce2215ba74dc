"""Classifies why two scorers give the same text different scores.

The classes are in terms of how the answer was parsed. They depend on the two scores and the text
alone, so that every disagreement belongs to exactly one. `Reason.OTHER` means that no class fits;
the tests that compare our scorers with lmms-eval's fail on it.
"""

from __future__ import annotations

import re
from enum import StrEnum

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import letters, number


class Reason(StrEnum):
    """Why two scores of one text differ, in the order in which the classes are tried."""

    EMPTY = "empty answer"
    """The text is empty; the scorers give it different values."""
    UNSCORED = "left out by one rule"
    """One of the scorers leaves the item out of its mean."""
    PART = "part of the right option counts"
    """One rule accepts any part of the gold option, a lone bracket for example."""
    BOUNDARY = "boundary of a threshold"
    """Both read the same number, which is at the edge of a tolerance."""
    COMPARISON = "same answer, compared differently"
    OTHER_NUMBER = "another number is read"
    OTHER_LETTER = "another letter is read"
    OTHER_TEXT = "another text is read"
    TAG = "tag"
    """One rule does not look inside, or behind, tags such as ``<answer>`` and ``<think>``."""
    SPACE = "space around the answer"
    CASE = "case"
    MARKS = "marks around the answer"
    TRAILING = "trailing text"
    LEADING = "text before the answer"
    NOTATION = "notation of the number"
    IN_WORDS = "number in words"
    OPTION_TEXT = "text or label of an option"
    INSIDE_WORDS = "letter inside a word"
    SPAN = "span of time that one rule does not read"
    BARE = "bare letter is not an answer"
    """One rule's question asks for words; the `video-r1` prompt asks it with letters."""
    OTHER = "unexplained"


_TAG = re.compile(r"</?[A-Za-z]\w*>")
_MARKS = re.compile(r"[\W_]+")
_MARKUP = re.compile(r"\\(?:boxed|text|mathbf)")
_NUMERIC = (Kind.REGRESSION, Kind.NUMERICAL)


def scores_differ(one: Score, other: Score) -> bool:
    """Return whether two scores have different values.

    An answer that is wrong and one that was not found both have the value 0 and do not differ.
    """
    return one.value != other.value


_NO_ANSWER = (Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED)


def find_reason(sample: Sample, text: str, one: Score, other: Score) -> Reason:
    """Return the class of a disagreement between two scores of `text`."""
    if not text.strip():
        return Reason.EMPTY
    if (one.value is None) != (other.value is None):
        return Reason.UNSCORED
    read, also = _answer_of(one), _answer_of(other)
    if any(score.value and _answer_of(score) is None for score in (one, other)):
        return Reason.PART
    if read is not None and also is not None:
        return _compare_answers(sample, read, also)
    if read is None and also is None:
        return Reason.OTHER
    if _TAG.search(text):
        return Reason.TAG
    if sample.kind is Kind.SPAN:
        return Reason.SPAN
    return _classify_number(text) if sample.kind in _NUMERIC else _classify_choice(sample, text)


def _answer_of(score: Score) -> str | None:
    return None if score.outcome in _NO_ANSWER else score.answer


def _compare_answers(sample: Sample, read: str, also: str) -> Reason:
    numbers = number(read), number(also)
    if sample.kind in _NUMERIC and None not in numbers:
        if numbers[0] != numbers[1]:
            return Reason.OTHER_NUMBER
        return Reason.BOUNDARY if sample.kind is Kind.REGRESSION else Reason.COMPARISON
    if read.casefold() == also.casefold():
        return Reason.COMPARISON
    choice = sample.kind is Kind.MULTIPLE_CHOICE and len(read) == len(also) == 1
    return Reason.OTHER_LETTER if choice else Reason.OTHER_TEXT


def _classify_number(text: str) -> Reason:
    if number(text) is not None:
        return Reason.NOTATION if "," in text or text == text.strip() else Reason.SPACE
    found = re.search(r"\d", text)
    if found is None:
        return Reason.IN_WORDS if re.search(r"[A-Za-z]", text) else Reason.NOTATION
    before = text[: found.start()].strip()
    if not before:
        return Reason.TRAILING
    return Reason.LEADING if any(map(str.isalnum, before)) else Reason.MARKS


def _classify_choice(sample: Sample, text: str) -> Reason:
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
    if any(wording in text.casefold() for wording in _option_wordings(sample)):
        return Reason.OPTION_TEXT
    return Reason.INSIDE_WORDS if any(x in text.upper() for x in known) else Reason.OTHER


def _option_wordings(sample: Sample) -> set[str]:
    """Return the option texts, and labels such as ``Option 1``, that an answer may quote."""
    lines = "\n".join(sample.source.values()).split("\n")
    labels = {line.partition(": ")[0] for line in lines if ": " in line}
    return {wording.casefold() for wording in (*sample.options, *labels)}
