"""Reads units of length, area and time, and converts between units of one dimension."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its dimension, and its size in the dimension's base unit (m, m2, s)."""

    dimension: str
    size: float


_LENGTHS = {
    "mm|millimet(?:er|re)s?": 0.001,
    "cm|centimet(?:er|re)s?": 0.01,
    "dm|decimet(?:er|re)s?": 0.1,
    "m|met(?:er|re)s?": 1.0,
    "km|kilomet(?:er|re)s?": 1000.0,
    "inch(?:es)?|in\\.|in(?=\\s*[).,])": 0.0254,
    "ft|feet|foot": 0.3048,
    "yd|yards?": 0.9144,
}
_TIMES = {
    "ms|milliseconds?": 0.001,
    "s|secs?|seconds?": 1.0,
    "mins?|minutes?": 60.0,
    "h|hrs?|hours?": 3600.0,
}
_SQUARE = (
    r"(?:(?:square|sq\.?)[\s-]*(?:{name})|(?:{name})\s*(?:\^\s*\{{?2\}}?|\u00b2)|(?:{short})2|"
    r"(?:{name})[\s-]squared)"
)


def _patterns() -> list[tuple[re.Pattern[str], Unit]]:
    """Return the patterns of all units, areas before the lengths that they are made of."""
    found = []
    for names, size in _LENGTHS.items():
        area = _SQUARE.format(name=names, short=names.split("|")[0])
        found.append((area, Unit("area", size * size)))
    found += [(names, Unit("length", size)) for names, size in _LENGTHS.items()]
    found += [(names, Unit("time", size)) for names, size in _TIMES.items()]
    return [(re.compile(rf"\s*-?\s*(?:{names})(?![\w\u00b2^])"), unit) for names, unit in found]


_UNITS = _patterns()
_ASKED = re.compile(r"\b(?:in|measured in|unit:?|number of|how many)\s+", re.IGNORECASE)
_NAMES: Mapping[str, str] = {"sqm": "m2", "sqft": "ft2", "sq.m": "m2"}


def unit_at(text: str, at: int) -> tuple[Unit, int] | None:
    """Return the unit that stands at a place of a text, and where it ends; None: no known unit."""
    rest = text[at : at + 40].lower()
    for name, other in _NAMES.items():
        if rest.strip().startswith(name):
            rest = rest.replace(name, other, 1)
    for pattern, unit in _UNITS:
        match = pattern.match(rest)
        if match:
            return unit, at + match.end()
    return None


def asked_unit(question: str) -> Unit | None:
    """Return the unit in which a question wants its answer (``in centimeters``), if it says one."""
    found = None
    for match in _ASKED.finditer(question):
        here = unit_at(question, match.end())
        # A single letter behind "in" is more often a name than a unit.
        if here is not None and here[1] - match.end() > 1:
            found = here[0]
    return found


def convert(value: float, given: Unit, wanted: Unit) -> float | None:
    """Return a value in another unit; None where the dimensions differ."""
    if given.dimension != wanted.dimension:
        return None
    return value if given == wanted else value * given.size / wanted.size
