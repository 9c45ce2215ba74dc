"""Read a span of time from a reply: the start and end that a careful reader would take.

The rule is ours, because the field's rules (`tasks.span_parsers`) disagree on ordinary replies:

- A thought is not read, and of a reply with ``<answer>`` only the content of the last one, also of
  one that was cut off.
- A span is two times joined by a dash, "to", "until", or "and" behind "between"; two numbers in
  brackets or in a JSON object with ``time``; or a start and an end that are named, in one sentence
  or in two. Times are seconds (``24.3``, ``24.3 s``) or clock times (``0:24.3``, ``1:02:03``).
- Where several different spans are named, the only one with units, brackets or a clock counts; if
  that does not decide, there is no answer.
- The order is kept: an end before the start is a span that overlaps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.reasoning.split import split

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?"
_START, _END = (
    rf"(?P<{name}>{_CLOCK}|\d+(?:\.\d+)?)(?P<{name}_unit>\s*(?:seconds?|secs?|s)\b\.?)?"
    for name in ("start", "end")
)
_BEFORE = r"(?<![\w.:])(?<!\d[-–—])(?<!\d [-–—] )"
_AFTER = r"(?!\w|[:.]\d|\s*[-–—]\s*\d)"
_ABOUT = r"(?:(?:about|around|approximately|roughly|~)\s*)?"

_JOINED = re.compile(
    rf"{_BEFORE}{_START}\s*(?:-|–|—|~|\bto\b|\buntil\b|\btill\b)\s*{_ABOUT}{_END}{_AFTER}", re.I
)
_BETWEEN = re.compile(rf"\bbetween\s+{_ABOUT}{_START}\s+and\s+{_ABOUT}{_END}{_AFTER}", re.I)
_LISTED = re.compile(rf"[\[(]\s*{_START}\s*,\s*{_END}\s*[\])]", re.I)
_NAMED = re.compile(
    rf"\b(?:start|begin|from)[a-z_]*[^\d]{{0,40}}?{_START}[^\d]{{0,40}}?"
    rf"\b(?:(?:end|finish|stop)[a-z_]*|to\b)[^\d]{{0,40}}?{_END}{_AFTER}",
    re.I,
)
_PATTERNS = ((_JOINED, False), (_BETWEEN, False), (_LISTED, True), (_NAMED, True))
"""Patterns, and whether their form alone says that a span is meant."""

_TAG = "<answer>"


class Span(NamedTuple):
    """A stretch of a video in seconds from its start."""

    start_s: float
    end_s: float

    def __str__(self) -> str:
        return f"{self.start_s:g} to {self.end_s:g}"


def read_span(text: str) -> Span | None:
    """Return the span that a reply names; None if it names none, or several."""
    answer = split(text).answer
    if _TAG in answer:
        answer = answer.rpartition(_TAG)[2].partition("</answer>")[0]
    found = list(_find_spans(answer))
    spans = {span for span, _ in found}
    marked = {span for span, explicit in found if explicit}
    for named in (spans, marked):
        if len(named) == 1:
            return next(iter(named))
    return None


def parse_gold(text: str) -> Span:
    """Read a gold span ``24.3 to 30.4``.

    Raises:
        ValueError: It is not one, or ends before it starts.
    """
    span = read_span(text)
    if span is None or not span.start_s < span.end_s:
        raise ValueError(f"expected a span 'START to END' in seconds, got {text!r:.80}")
    return span


def _find_spans(text: str) -> Iterator[tuple[Span, bool]]:
    """Yield spans with whether units, brackets, names or a clock say that one is meant."""
    taken = bytearray(len(text))
    for pattern, explicit in _PATTERNS:
        for match in pattern.finditer(text):
            place = slice(*match.span())
            if any(taken[place]):
                continue
            taken[place] = b"\1" * (place.stop - place.start)
            times = match["start"], match["end"]
            said = match["start_unit"] or match["end_unit"] or ":" in "".join(times)
            yield Span(*map(_seconds, times)), explicit or bool(said)


def _seconds(time: str) -> float:
    """Read seconds or a clock time."""
    total = 0.0
    for part in time.split(":"):
        total = 60 * total + float(part)
    return total
