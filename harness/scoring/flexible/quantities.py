"""Reads the number that a reply answers with: rules from the most explicit to the least.

The first rule that finds a number decides. A range or a choice of numbers is no answer. Where the
question asks for a unit, a number with another unit of the same kind is converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.scoring.flexible.marked import marked_parts, without_marked
from harness.scoring.flexible.normal import plain, shortened
from harness.scoring.flexible.numerals import Numeral, numerals
from harness.scoring.flexible.units import Unit, asked_unit, convert
from harness.scoring.flexible.words import sentences

_SAME = 0.02
"""Relative difference up to which two lengths are one, told in two units."""
AMBIGUOUS = float("nan")
"""What a rule finds where a reply names several numbers as its answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in the form in which the rules read it."""

    text: str
    numbers: tuple[Numeral, ...]
    unit: Unit | None
    """What the question asks for."""

    def between(self, start: int, end: int) -> list[Numeral]:
        """Return the numbers in a part of the text."""
        return [one for one in self.numbers if start <= one.start < end]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which replies say a number."""

    name: str
    reads: str
    """What it reads, with an example; for the documentation."""
    find: Callable[[Reply], float | None]


@dataclass(frozen=True, slots=True)
class Quantity:
    """The number that a reply answers with, and the rule that found it."""

    value: float
    rule: str


def read_quantity(text: str, question: str = "") -> Quantity | None:
    """Return the number that a reply without its thought answers with; None: it has none."""
    unit, text = asked_unit(question), shortened(text)
    for name, part in marked_parts(text):
        inner = _read(_make_reply(part, unit))
        if inner is not None:
            return Quantity(inner.value, name) if inner.value == inner.value else None
        if name == "answer-tag":
            return None
    found = _read(_make_reply(without_marked(text), unit))
    return found if found is not None and found.value == found.value else None


def _make_reply(text: str, unit: Unit | None) -> Reply:
    text = _DASH.sub(r"\1 to \2", plain(text))
    found = numerals(text)
    if unit is not None and any(one.unit and one.unit.dimension == unit.dimension for one in found):
        # Sides of a room are not its area.
        found = [one for one in found if not one.unit or one.unit.dimension == unit.dimension]
    return Reply(text, tuple(found), unit)


def _read(reply: Reply) -> Quantity | None:
    for rule in RULES:
        found = rule.find(reply)
        if found is not None:
            return Quantity(found, rule.name)
    return None


_DASH = re.compile(r"(?<![\d-])(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)(?![\d-])")
"""A range; a difference has an equals sign behind it and a result of its own."""
_RANGE = re.compile(r"\s*(?:-|to|or|and|and/or|~|\.\.\.?|through)\s*", re.IGNORECASE)
_APPROXIMATELY = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|circa|ca\.?|at|is|are|exactly|"
    r"\\approx|\\sim|estimated|an? estimated|likely|probably|~|[\u2248:=$\s(\"'])*",
    re.IGNORECASE,
)
_TRAIL = re.compile(r"[\s.!%)\"'$,\u00b0]*(?:percent\b)?[\s.!]*")
_NOUN = re.compile(r"\s*[A-Za-z][\w'-]*(?:\s+[A-Za-z][\w'-]*){0,3}[\s.!)]*")
"""Up to four words behind a number: a unit that is not known, or what is counted."""


def _choose(reply: Reply, found: Sequence[Numeral]) -> float | None:
    """Return the value of numbers that stand for one answer; NaN where they are several."""
    if not found:
        return None
    for one, other in pairwise(found):
        middle = reply.text[one.end : other.start]
        if one.value != other.value and _RANGE.fullmatch(middle):
            return AMBIGUOUS
    values = [_in_asked_unit(one, reply.unit) for one in found]
    if len({round(value, 9) for value in values}) == 1:
        return values[0]
    if _one_in_two_units(found):
        asked = [
            v for v, n in zip(values, found, strict=True) if reply.unit and n.unit == reply.unit
        ]
        return asked[-1] if asked else values[-1]
    return AMBIGUOUS


def _in_asked_unit(one: Numeral, unit: Unit | None) -> float:
    if unit is None or one.unit is None:
        return one.value
    converted = convert(one.value, one.unit, unit)
    return one.value if converted is None else converted


def _one_in_two_units(found: Sequence[Numeral]) -> bool:
    """Return whether numbers say one length, area or time in several units."""
    if not all(one.unit for one in found):
        return False
    sizes = [one.value * one.unit.size for one in found if one.unit]
    kinds = {one.unit.dimension for one in found if one.unit}
    return len(kinds) == 1 and max(sizes) - min(sizes) <= _SAME * max(map(abs, sizes))


def find_only_number(reply: Reply) -> float | None:
    """Return the number that is all a reply says, with a unit or what is counted."""
    if not reply.numbers or "\n" in reply.text.strip():
        return None
    first, last = reply.numbers[0], reply.numbers[-1]
    before, after = reply.text[: first.start], reply.text[last.end :]
    if not _APPROXIMATELY.fullmatch(before):
        return None
    if not (_TRAIL.fullmatch(after) or _NOUN.fullmatch(after)):
        return None
    if len(reply.numbers) > 1 and "=" in reply.text:
        return None
    return _choose(reply, reply.numbers) if len(reply.numbers) < 3 else None


_CUE = re.compile(
    r"\b(?:(?:final|correct|best|my|estimated|total)\s+)*(?:answer|result|total|count|number|estimate|"
    r"estimation|distance|size|area|length|height|width|value|sum|guess|response)\b"
    r"(?:\s+(?:of|to|for|between|from|in|that|is that)\b[^.!?\n=:]{0,120}?)?"
    r"(?:\s+(?:is|are|was|would be|should be|must be|will be|equals|comes to|of)\b|\s*[:=])"
    r"|(?:\u7b54\u6848|\u603b\u5171|\u4e00\u5171|\u5171)(?:\u662f|\u4e3a|\u6709)?\s*:?"
    r"|\b(?:in total|altogether|overall),?\s+(?:there (?:are|is)|i count)",
    re.IGNORECASE,
)


def _behind(reply: Reply, cue: re.Match[str]) -> list[Numeral]:
    """Return the numbers of the answer behind a cue: up to the end of the sentence, close to it."""
    end = min(
        (at for mark in ("\n", ". ", "; ") if (at := reply.text.find(mark, cue.end() + 3)) >= 0),
        default=len(reply.text),
    )
    found = reply.between(cue.end(), end)
    if not found or not _is_near(reply.text[cue.end() : found[0].start]):
        return []
    several = [found[0]]
    for one in found[1:]:
        middle = reply.text[several[-1].end : one.start]
        joined = _RANGE.fullmatch(middle) or re.fullmatch(
            r"\s*[(\[=,]?\s*(?:or\s+)?(?:~|about\s+)?", middle
        )
        if not joined:
            break
        several.append(one)
    return several


def _is_near(between: str) -> bool:
    """Return whether a number belongs to the cue before it: few words, and no other clause."""
    return len(between.split()) <= 6 and not re.search(r"[;]|\bnot\b|\bbecause\b", between)


def find_statement(reply: Reply) -> float | None:
    """Return the number of the last *answer is*, *total:* or *distance is*."""
    strong, weak = None, None
    for cue in _CUE.finditer(reply.text):
        found = _choose(reply, _behind(reply, cue))
        if found is not None:
            if re.search("answer|result|total|\u7b54\u6848", cue[0], re.IGNORECASE):
                strong = found
            weak = found
    return weak if strong is None else strong


def find_equation(reply: Reply) -> float | None:
    """Return the number behind the last equals sign."""
    at = max(reply.text.rfind("="), reply.text.rfind("\u2248"))
    found = reply.between(at, len(reply.text)) if at >= 0 else []
    if not found or not _APPROXIMATELY.fullmatch(reply.text[at : found[0].start]):
        return None
    return _choose(reply, found[:1])


_LONE_LINE = re.compile(r"^[ \t(\[\"']*(.+?)[ \t)\]\"'.]*$", re.MULTILINE)


def find_lone_line(reply: Reply) -> float | None:
    """Return the number that is the last line, or the last sentence, of its own."""
    lines = [match for match in _LONE_LINE.finditer(reply.text) if match[1].strip()]
    ends = [line.span() for line in (lines[-1:] + lines[:1])] if len(lines) > 1 else []
    parts = sentences(reply.text)
    if len(parts) > 1:
        ends.insert(0, (parts[-1].start, len(reply.text)))
    for start, end in ends:
        part = Reply(reply.text[start:end], tuple(numerals(reply.text[start:end])), reply.unit)
        found = find_only_number(part)
        if found is not None:
            return found
    return None


_COUNTED = re.compile(
    r"\b(?:there\s+(?:are|is|were|was|appear to be|seem to be)|(?:i|we|you)\s+(?:can\s+|could\s+)?"
    r"(?:see|count|counted|find|observe|estimate)|(?:shows?|contains?|has|have|features?|includes?|"
    r"measures?|counts?|found|visible:?))\s+(?:a total of\s+|only\s+|exactly\s+|about\s+|"
    r"around\s+|approximately\s+|"
    r"roughly\s+|at least\s+|it (?:is|to be)\s+|the \w+ (?:is|to be)\s+)*",
    re.IGNORECASE,
)


def find_counted(reply: Reply) -> float | None:
    """Return the number behind the last *there are* or *I count*."""
    values = []
    for cue in _COUNTED.finditer(reply.text):
        found = reply.between(cue.end(), cue.end() + 2)
        if found:
            values.append(_choose(reply, _behind(reply, cue)))
    kept = [value for value in values if value is not None]
    return kept[0] if len(set(kept)) == 1 else AMBIGUOUS if kept and len(values) > 1 else None


def find_single_number(reply: Reply) -> float | None:
    """Return the only number of a reply, said once or several times."""
    values = {round(_in_asked_unit(one, reply.unit), 9) for one in reply.numbers}
    if len(values) == 1:
        return values.pop()
    return _choose(reply, reply.numbers) if _one_in_two_units(reply.numbers) else None


_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|overall|in conclusion|finally|in total|altogether)\b",
    re.IGNORECASE,
)


def find_conclusion(reply: Reply) -> float | None:
    """Return the number behind the last *so* or *therefore*, or the one that is *in total*."""
    for sentence in reversed(sentences(reply.text)):
        end = sentence.start + len(sentence.text) + 1
        for word in reversed(list(_CONCLUSION.finditer(sentence.text))):
            behind = reply.between(sentence.start + word.end(), end)
            before = reply.between(sentence.start, sentence.start + word.start())
            total = word[0].lower() in ("in total", "altogether")
            found = behind or (before[-1:] if total else [])
            if found:
                return _choose(reply, found)
    return None


def _rules() -> Iterator[Rule]:
    yield Rule(
        "only-number", "a number with its unit and nothing else: `2.5 m`, `three`", find_only_number
    )
    yield Rule(
        "statement",
        "the last *answer is*, *total:*, *distance is*: `The answer is 3.`",
        find_statement,
    )
    yield Rule(
        "lone-line", "a number that is the last or first line, or the last sentence", find_lone_line
    )
    yield Rule("equation", "the number behind the last equals sign: `2 + 1 = 3`", find_equation)
    yield Rule("conclusion", "the number of a sentence with *so*, *therefore*", find_conclusion)
    yield Rule("counted", "a number behind *there are*, *I count*", find_counted)
    yield Rule("single-number", "the only number of the reply", find_single_number)


RULES = tuple(_rules())
