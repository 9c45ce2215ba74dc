"""Defines the figures of a task: what ``summary.json`` says of it, and what repeats add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatFigure:
    """A mean over items, in percent, with its error clustered by video."""

    score: float
    se: float | None
    ci95: tuple[float, float] | None
    n: int
    """Items that it is a mean of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatSummary:
    """What repeats tell of a task; its score is the mean over items of the mean over repeats."""

    k: int
    """How often each item was asked."""
    answers: int
    """Finished repeats of all items that count in the mean."""
    failed: int
    """Repeats without a text; an item's value is the mean of the others."""
    pass_at: Mapping[str, RepeatFigure | None]
    """By number k: the probability that one of k answers is right (the expected best of k, where
    values lie between 0 and 1), over the items that have k finished repeats."""
    majority: RepeatFigure | None
    """Score of the most frequent answers, over the items whose answers can be counted."""
    changed: RepeatFigure | None
    """Share of items with at least two finished repeats whose answers are not all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """One task's line in ``summary.json``; all scores are percentages."""

    score: float | None
    """0-100; None when no item could be scored."""
    se: float | None
    """Standard error clustered by video, in points; None below two clusters."""
    ci95: tuple[float, float] | None
    n: int
    """Number of items that the run evaluates."""
    n_scored: int
    n_clusters: int
    outcomes: Mapping[str, int]
    """Number of answers per outcome; with repeats an item has several."""
    dropped: int
    """Items that the scorer's own rules leave out of the mean."""
    missing: int
    """Answers without a record."""
    breakdown: Mapping[str, Mapping[str, float | int | None]]
    """Per category path prefix: score, se, ci95_low, ci95_high and n; old runs have no interval."""
    scorer: str
    aggregation: str
    protocol_hash: str
    extra: Mapping[str, float] = field(default_factory=dict)
    """Further figures of the benchmark, for example TempCompass's match rate."""
    repeats: RepeatSummary | None = None
    """None where each item was asked once."""

    @property
    def asked(self) -> int:
        """Number of answers that the run asks for: items times repeats."""
        return self.n * (1 if self.repeats is None else self.repeats.k)
