"""Finds the numbers in a text: digits in every common form, fractions, and words up to ninety-nine.

``1,250`` and ``1'250`` are thousands, ``2,5`` and ``0,125`` have a decimal comma, ``1.250,5`` is
European; ``1.250`` is read with a decimal point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.scoring.flexible.units import Unit, unit_at
from harness.scoring.flexible.words import NUMBER_WORDS

_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_UNITS = "|".join(word for word, number in NUMBER_WORDS.items() if 0 < number < 10)
_WORDS = re.compile(
    rf"\b(?:(minus|negative)\s+)?(?:({'|'.join(_TENS)})(?:[\s-]+({_UNITS}))?|"
    rf"({'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))}))\b"
    r"(?:\s+(hundred|thousand|dozen))?|"
    r"\b(a)\s+dozen\b",
    re.IGNORECASE,
)
_DIGITS = (
    r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d{1,3}(?:'\d{3})+(?:\.\d+)?|"
    r"\d+[.,]\d+|\d+|\.\d+"
)
_POWER = r"(?:[eE][-+]?\d+|\s*(?:\\times|\\cdot|\u00d7|\*|x)\s*10\s*\^?\s*\{?([-+]?\d+)\}?)?"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9.,/^_-])(?P<sign>[-+](?=[\d.])|(?:minus|negative)\s+)?(?P<digits>{_DIGITS})(?P<power>"
    rf"{_POWER})(?:\s*/\s*(?P<below>\d+(?:\.\d+)?)(?![\d/]))?(?P<mixed>\s+\d+/\d+)?"
    rf"(?:\s*\^\s*\{{?(?P<raised>\d{{1,2}})\}}?)?(?P<half>\s+and\s+a\s+half)?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"(-?)\s*\\[dt]?frac\s*\{\s*([\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}")
_VULGAR = {"\u00bd": "1/2", "\u00bc": "1/4", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_LABEL = re.compile(
    r"(?:\b(?:frames?|steps?|images?|figures?|fig\.|options?|question|clips?|scenes?|part|video|shot|"
    r"no\.|number|timestamp|item|chapter|room)\s*(?:no\.?\s*)?#?|#|\b(?:19|20)\d\d-)\s*$",
    re.IGNORECASE,
)
_HALF = re.compile(r"\s+and\s+a\s+half\b", re.IGNORECASE)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b|:\d\d|-\d\d-|\s*[ap]\.?m\b", re.IGNORECASE)
_ORDINAL_TEXT = 4


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a text."""

    value: float
    start: int
    end: int
    """Behind its unit, if it has one."""
    unit: Unit | None = None


def numerals(text: str) -> list[Numeral]:
    """Return the numbers of a text in order, without labels, ordinals and numbers of a list."""
    text = _with_plain_fractions(text)
    found = [*_in_digits(text), *_in_words(text)]
    return sorted(found, key=lambda one: one.start)


def _with_plain_fractions(text: str) -> str:
    """Write fractions of LaTeX and Unicode with a slash, padded so that places stay."""
    text = _FRACTION.sub(lambda m: f"{m[1]}{m[2]}/{m[3]}".ljust(len(m[0])), text)
    for sign, plain in _VULGAR.items():
        text = re.sub(rf"(?<=\d)\s*{sign}", f" {plain}", text).replace(sign, plain)
    return text


def _in_digits(text: str) -> list[Numeral]:
    found = []
    for match in _NUMBER.finditer(text):
        end = match.end()
        if _is_label(text, match):
            continue
        value = _value(match)
        if value is None or abs(value) == float("inf"):
            continue
        unit = unit_at(text, end)
        found.append(
            Numeral(value, match.start(), unit[1] if unit else end, unit[0] if unit else None)
        )
    return found


def _is_label(text: str, match: re.Match[str]) -> bool:
    """Return whether digits number something, or are an ordinal, a time or a list's mark."""
    before, after = text[: match.start()], text[match.end() : match.end() + _ORDINAL_TEXT]
    if _LABEL.search(before[-20:]) or _ORDINAL.match(after):
        return True
    if re.search(r"\d:$", before[-2:]):
        return True
    begins_line = not before.rpartition("\n")[2].strip()
    return begins_line and bool(re.match(r"[.)]\s+\S", text[match.end() : match.end() + 4]))


def _value(match: re.Match[str]) -> float | None:
    power = re.search(r"[-+]?\d+(?=\}?$)", match["power"])
    value = float(_plain_digits(match["digits"]) + (f"e{power[0]}" if power else ""))
    if match["below"]:
        below = float(match["below"])
        if not below:
            return None
        value /= below
    if match["mixed"]:
        above, _, below_text = match["mixed"].partition("/")
        if not float(below_text):
            return None
        value += float(above) / float(below_text)
    if match["raised"]:
        try:
            value **= int(match["raised"])
        except OverflowError:
            return None
    if match["half"]:
        value += 0.5
    negative = match["sign"] and match["sign"].strip().lower() in ("-", "minus", "negative")
    return -value if negative else value


def _plain_digits(digits: str) -> str:
    """Return digits with a decimal point and without marks for thousands."""
    digits = digits.replace("'", "")
    if "," not in digits:
        return digits
    if "." in digits:
        european = digits.rfind(",") > digits.rfind(".")
        return digits.replace(".", "").replace(",", ".") if european else digits.replace(",", "")
    head, *groups = digits.split(",")
    thousands = head != "0" and all(len(group) == 3 for group in groups)
    return digits.replace(",", "") if thousands else digits.replace(",", ".")


def _in_words(text: str) -> list[Numeral]:
    found = []
    for match in _WORDS.finditer(text):
        minus, tens, ones, small, scale, dozen = match.groups()
        if small and small.lower() == "one" and not _is_count(text, match):
            continue
        base = 12 if dozen else _TENS[tens.lower()] if tens else NUMBER_WORDS[small.lower()]
        value: float = base
        value += NUMBER_WORDS[ones.lower()] if ones else 0
        value *= {"hundred": 100, "thousand": 1000, "dozen": 12}.get((scale or "").lower(), 1)
        if _LABEL.search(text[max(0, match.start() - 20) : match.start()]):
            continue
        half = _HALF.match(text, match.end())
        value += 0.5 if half else 0
        end = half.end() if half else match.end()
        unit = unit_at(text, end)
        end = unit[1] if unit else end
        found.append(
            Numeral(-value if minus else value, match.start(), end, unit[0] if unit else None)
        )
    return found


def _is_count(text: str, match: re.Match[str]) -> bool:
    """Return whether *one* counts something: *there is one chair*, not *the one on the left*."""
    before = text[max(0, match.start() - 12) : match.start()].lower()
    after = text[match.end() : match.end() + 12].lower()
    if re.match(r"\s*(?:of|another|can|side|is|that|who|more|by)\b", after):
        return False
    if re.search(
        r"(?:^|[.:=(\"'\n]|\b(?:is|are|only|just|exactly|about|see|count|be|and))\s*$", before
    ):
        return True
    named = re.match(r"\s+[a-z]{2,}", after)
    return bool(named) and not re.search(
        r"\b(?:the|this|that|each|every|any|which|no|other|first|last|next|same)\s+$", before
    )
