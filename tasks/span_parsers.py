"""Read spans of time from replies as projects of the field do; each rule with its source.

They never all agree (docs/benchmarks.md has a table); ours is `harness.scoring.spans.read_span`.
Reimplemented from what their code does:

- `read_timechat`: RenShuhuai-Andy/TimeChat@c60b332 ``utils/format_tvg.py``. The first ``a - b``
  with a hyphen anywhere; else the first number of each sentence about start, end or happening,
  where sentences end at ``!``, ``?`` and line breaks alone, in pairs; else the same with H:M:S. The
  larger time becomes the end. The script fails on a number like ``5..``, which is no span here.
- `read_timelens`: TencentARC/TimeLens@5d90c06. Clock times anywhere first, then ``a-b``, then ``a
  to b``, then all numbers in pairs; the first pair, in its order. Its inference rounds the times to
  whole seconds before they are scored: `round_span`.
- `read_videoauto`: IVUL-KAUST/VideoAuto-R1@f7d91a3. The first two numbers joined by a comma, a
  dash, "to" or "and"; the larger one becomes the end.
- `read_time_r1`: xiaomi-research/time-r1@7f2b594 and OpenGVLab/VideoChat-R1@73b2ea9, evaluation.
  The last ``a to b`` or ``a and b`` with single blanks, in the thought too.
- `read_time_r1_reward`: the same projects, reward. The last such pair of the last ``<answer>``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.scoring.spans import Span

# The numbers are those of the original expressions, which need cubic time for long ones: a match
# that begins inside a number exists only where one begins before it.
_LOOSE = r"\d++\.*+\d*+"
_STRICT = r"\d++(?:\.\d++)?+"
_HYPHEN = re.compile(rf"(?<!\d)({_LOOSE})\s*-\s*({_LOOSE})")
_ANY_NUMBER = re.compile(r"\b(\d+\.\d+\b|\b\d+)\b")
_ANY_CLOCK = re.compile(r"\b\d{1,2}:\d{2}:\d{2}\b")
_ABOUT_TIME = ("start", "end", "happen")

_CLOCK = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\b")
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")
_DASHED = re.compile(rf"(?<!\d)({_STRICT})\s*[-–]\s*({_STRICT})")
_WITH_TO = re.compile(rf"(?<!\d)({_STRICT})\s*to\s*({_STRICT})")

_PAIR = re.compile(rf"(?<!\d)({_STRICT})\s*(?:,|-|–|—|to|and)\s*({_STRICT})")
_SINGLE_BLANKS = re.compile(r"(?<!\d)(\d++\.?+\d*+) (?:to|and) (\d++\.?+\d*+)")
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def read_timechat(text: str) -> Span | None:
    """Return the span that TimeChat's script reads."""
    text = text.lower()
    found = _HYPHEN.search(text)
    if found is not None:
        return _in_order(_as_numbers(found.groups()))
    asked = [part for part in re.split(r"[!?\n]", text) if any(w in part for w in _ABOUT_TIME)]
    for pattern in (_ANY_NUMBER, _ANY_CLOCK):
        first = [match.group() for part in asked if (match := pattern.search(part))]
        if len(first) > 1:
            return _in_order([_clock(time) for time in first[:2]])
    return None


def read_timelens(text: str) -> Span | None:
    """Return the span that TimeLens's evaluation reads."""
    clocks = _CLOCK.findall(text)
    if len(clocks) > 1:
        return Span(*(_clock(time) for time in clocks[:2]))
    for pattern in (_DASHED, _WITH_TO):
        found = pattern.search(text.lower())
        if found is not None:
            return Span(*_as_numbers(found.groups()))
    numbers = _NUMBER.findall(text)
    return Span(*_as_numbers(numbers[:2])) if len(numbers) > 1 else None


def round_span(span: Span | None) -> Span | None:
    """Return a span in whole seconds, as TimeLens's inference writes it down."""
    return None if span is None else Span(*(float(round(time)) for time in span))


def read_videoauto(text: str) -> Span | None:
    """Return the span that VideoAuto-R1's evaluation reads."""
    found = _PAIR.search(text)
    return None if found is None else _in_order(_as_numbers(found.groups()))


def read_time_r1(text: str) -> Span | None:
    """Return the span that Time-R1's and VideoChat-R1's evaluations read."""
    return _last_pair(text)


def read_time_r1_reward(text: str) -> Span | None:
    """Return the span that Time-R1's and VideoChat-R1's rewards read."""
    answers = _ANSWER.findall(text) if "</answer>" in text else []
    return _last_pair(answers[-1].lower()) if answers else None


def _last_pair(text: str) -> Span | None:
    found = _SINGLE_BLANKS.findall(text)
    return Span(*_as_numbers(found[-1])) if found else None


def _as_numbers(texts: Sequence[str]) -> list[float]:
    """Return numbers; a text with two points, on which the original fails, gives none."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return []


def _in_order(times: Sequence[float]) -> Span | None:
    return Span(*sorted(times)) if len(times) == 2 else None


def _clock(text: str) -> float:
    """Read seconds, M:S or H:M:S."""
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total
