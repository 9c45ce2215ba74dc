"""Splits texts into sentences, and into words in a form in which wordings can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
}

_SENTENCE_END = re.compile(
    r"(?<![\s(\"'.][A-Za-z])(?<!^[A-Za-z])([.!?]+[\"')\]]*)(?=\s|$)|\n+", re.M
)
_LONGEST = 500
"""Characters of a sentence; longer ones, as of a model that repeats itself, are cut."""
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|vs|etc|approx|Mr|Mrs|Dr|No)\.$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_JOINED = (
    (re.compile(r"\b(?:counter|anti)[\s-]*clock[\s-]*wise", re.IGNORECASE), "counterclockwise"),
    (re.compile(r"\bclock[\s-]+wise", re.IGNORECASE), "clockwise"),
    (re.compile(r"\btime[\s-]+laps", re.IGNORECASE), "timelaps"),
    (re.compile(r"\bslow(?:ed)?[\s-]+mo(?:tion)?\b", re.IGNORECASE), "slowmotion"),
    (re.compile(r"\bcan\s*not\b|\bcan't\b", re.IGNORECASE), "can not"),
    (re.compile(r"n't\b", re.IGNORECASE), " not"),
)
_ARTICLES = frozenset({"a", "an", "the", "its", "his", "her", "their", "this", "that", "it", "is",
                       "are", "be", "being", "was", "were", "there"})  # fmt: skip
_IRREGULAR = {
    "running": "run", "ran": "run", "went": "go", "going": "go", "gone": "go", "fell": "fall",
    "fallen": "fall", "rose": "rise", "risen": "rise", "threw": "throw", "thrown": "throw",
    "sat": "sit", "sitting": "sit", "stood": "stand", "put": "put", "putting": "put",
    "cut": "cut", "cutting": "cut", "got": "get", "getting": "get", "took": "take",
    "taken": "take", "left": "left", "less": "less", "same": "same",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and where it begins in its text."""

    text: str
    start: int


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text; the point behind an option's letter ends none."""
    ends = [
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if not _ABBREVIATION.search(text, max(0, match.end() - 8), match.end())
    ]
    found, begin = [], 0
    for end in [*ends, len(text)]:
        for start in range(begin, end, _LONGEST):
            piece = text[start : min(start + _LONGEST, end)]
            found.append(Sentence(piece.strip(), start + len(piece) - len(piece.lstrip())))
        begin = end
    return [sentence for sentence in found if sentence.text]


def joined(text: str) -> str:
    """Write words that are spelt in one, in two or with a hyphen in one form."""
    for pattern, form in _JOINED:
        text = pattern.sub(form, text)
    return text


def words(text: str) -> tuple[str, ...]:
    """Return the words that carry a wording's meaning, without endings, in order.

    Articles and forms of *to be* are left out, numbers are digits, and ``leftwards``, ``left`` and
    ``to the left`` begin alike.
    """
    found = (word.lower() for word in _WORD.findall(joined(text)))
    return tuple(stem(word) for word in found if word not in _ARTICLES)


def stem(word: str) -> str:
    """Return a word without its English ending; number words become digits."""
    if word in NUMBER_WORDS:
        return str(NUMBER_WORDS[word])
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    word = word.removesuffix("'s")
    for ending in ("wards", "ward"):
        if word.endswith(ending) and word.removesuffix(ending) not in ("to", "re", "a"):
            return word.removesuffix(ending)
    for ending in ("ings", "ing", "ed", "es", "s", "ly", "er"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and not word.endswith("ss"):
            return _without_double(base)
    return word.removesuffix("e") if len(word) > 4 else word


def _without_double(base: str) -> str:
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
        return base[:-1]
    return base.removesuffix("e") if len(base) > 4 else base
