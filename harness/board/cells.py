"""One run on one task, as a board shows it: score, interval, counts, and later its rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.board.entry import Answers, Entry
from harness.board.ranks import RankRange
from harness.run.summary import MEAN_OF_ITEMS
from harness.schema import Outcome
from harness.stats import Estimate, clustered_estimate
from harness.stats.estimate import tree_mean
from harness.task import registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task.api import Aggregation

if TYPE_CHECKING:
    from harness.task.api import Aggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run on one task; scores are percentages, counts are items, below the rule no rank."""

    score: float | None
    ci95: tuple[float, float] | None
    items: int
    """Items the run was asked for."""
    videos: int
    missing: int
    failed: int
    truncated: int
    no_answer: int
    protocol: str
    scorer: str
    rank: RankRange | None = None
    best: bool = False
    """Certainly better than every other ranked run."""
    breakdown: Mapping[str, Mapping[str, Any]]
    """Per category: score, se and n, as in ``summary.json``."""


def make_cell(entry: Entry, task: str) -> Cell:
    """Return a run's cell, without a rank yet."""
    answers, setting = entry.answers[task], entry.settings[task]
    summary = entry.summaries.get(task, {})
    score, interval = _score(entry, task)
    return Cell(
        score=score,
        ci95=interval,
        items=setting["data"]["items"],
        videos=len(set(answers.items.clusters)),
        missing=setting["data"]["items"] - len(answers.items.ids),
        failed=answers.outcomes[Outcome.FAILED],
        truncated=answers.outcomes[Outcome.TRUNCATED],
        no_answer=answers.outcomes[Outcome.NO_ANSWER],
        protocol=setting["protocol"]["hash"],
        scorer=setting["protocol"]["scorer"],
        breakdown=summary.get("breakdown", {}),
    )


def _score(entry: Entry, task: str) -> tuple[float | None, tuple[float, float] | None]:
    """Score the records; without the task's aggregation, quote the run's own summary."""
    means = means_of(entry, task)
    if means is None:
        summary = entry.summaries.get(task, {})
        interval = summary.get("ci95")
        return summary.get("score"), None if interval is None else (interval[0], interval[1])
    whole = estimate(entry.answers[task], means)
    if whole is None:
        return None, None
    interval = whole.ci95
    return 100 * whole.mean, interval and (100 * interval[0], 100 * interval[1])


def has_own_total(entry: Entry, task: str) -> bool:
    """Tell whether a task's own number, in its summary, is not the mean of its items."""
    return MEAN_OF_ITEMS in entry.summaries.get(task, {}).get("extra", {})


def means_of(entry: Entry, task: str) -> Aggregation | None:
    """Return how the items make the score, None where that is not known here or not so at all."""
    if has_own_total(entry, task):
        return None
    return find_aggregation(task, entry.settings[task]["protocol"]["scorer"])


@cache
def find_aggregation(task: str, scorer: str) -> Aggregation | None:
    """Return how a scorer (``name@version``) is aggregated, None where it is not installed."""
    task = task.partition(" [")[0]  # a column of a score file, see `harness.board.score_files`
    bridge = registry.bridge_of(task)
    if bridge:
        return bridge.aggregation
    if task not in registry.installed():
        return None
    # A judge (``official+judge:model@1``) helps a rule and leaves its aggregation as it is.
    name = scorer.partition("+judge")[0].partition("@")[0]
    found = registry.get(task).scorers.get(name)
    return found.aggregation if found else None


def estimate(answers: Answers, means: Aggregation) -> Estimate | None:
    """Score the items that have a value, None without any."""
    scored = _Scored.of(answers, means)
    if not scored.clusters:
        return None
    return clustered_estimate(scored.values, scored.clusters, scored.paths)


def influence(answers: Answers, means: Aggregation) -> NDArray[np.float64]:
    """Return what each video moved the score by, in the videos' order among the items."""
    scored = _Scored.of(answers, means)
    _, totals = tree_mean(scored.values, scored.clusters, scored.paths)
    moved = dict(zip(dict.fromkeys(scored.clusters), totals, strict=True))
    return np.array([moved.get(name, 0.0) for name in dict.fromkeys(answers.items.clusters)])


@dataclass(frozen=True, slots=True)
class _Scored:
    """The items with a value, and their places in the tree of means."""

    values: NDArray[np.float64]
    clusters: list[str]
    paths: list[tuple[str, ...]]

    @classmethod
    def of(cls, answers: Answers, means: Aggregation) -> _Scored:
        items = answers.items
        levels = {category: means.levels(category) for category in set(items.categories)}
        kept = np.flatnonzero(~np.isnan(answers.values)).tolist()
        return cls(
            answers.values[kept],
            [items.clusters[position] for position in kept],
            [levels[items.categories[position]] for position in kept],
        )
