"""Measures training rows: how many of which type, how long, how many tokens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.schema import Clip, Kind, Media, MediaKind
from trainer.data.rows import TrainingRow, strip_think_tags

_BINS = 12
"""Bars of a chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How some numbers are spread."""

    name: str
    unit: str
    count: int
    least: float
    median: float
    p95: float
    """19 of 20 are not above it."""
    most: float
    bars: tuple[tuple[float, float, int], ...]
    """Lower and upper end of each bin of equal width, and how many numbers it has."""


@dataclass(slots=True)
class Measured:
    """What is known of media and prompts once they were decoded and built."""

    seconds: dict[Media, float] = field(default_factory=dict)
    frames: dict[Media, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens of a prompt, by the place of its row."""

    def see_clip(self, media: Media, clip: Clip) -> None:
        """Take in a decoded medium."""
        if clip.kind is MediaKind.VIDEO:
            self.seconds[media] = clip.duration_s
            self.frames[media] = len(clip.indices)

    def see_built(self, row: TrainingRow, built: object) -> None:
        """Take in what was built of a row: the number of its prompt's tokens, where it is known."""
        if isinstance(built, int):
            self.tokens[row.where] = built


def measure_spreads(rows: Iterable[TrainingRow], measured: Measured) -> list[Spread]:
    """Return the spread of every length that is known of some row."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found["question", "words"].append(len(row.sample.question.split()))
        if row.rationale:
            found["rationale", "words"].append(len(strip_think_tags(row.rationale).split()))
        for media in row.sample.media:
            if media in measured.seconds:
                found["video", "seconds"].append(measured.seconds[media])
                found["video", "frames"].append(measured.frames[media])
        if row.where in measured.tokens:
            found["prompt", "tokens"].append(measured.tokens[row.where])
    return [_measure(name, unit, values) for (name, unit), values in found.items()]


def count_letters(rows: Iterable[TrainingRow]) -> list[tuple[int, list[tuple[str, int]]]]:
    """Return per number of options how often each letter is the answer.

    A letter that is right far more often than the others is learnt instead of the question.
    """
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.sample.kind is Kind.MULTIPLE_CHOICE:
            counts[len(row.sample.options)][row.sample.answer] += 1
    return [(number, sorted(found.items())) for number, found in sorted(counts.items())]


def _measure(name: str, unit: str, values: Sequence[float]) -> Spread:
    numbers = np.asarray(values, float)
    counts, edges = np.histogram(numbers, bins=_BINS if numbers.min() < numbers.max() else 1)
    return Spread(
        name=name,
        unit=unit,
        count=len(numbers),
        least=float(numbers.min()),
        median=float(np.median(numbers)),
        p95=float(np.percentile(numbers, 95)),
        most=float(numbers.max()),
        bars=tuple(
            (float(low), float(high), int(number))
            for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
        ),
    )
