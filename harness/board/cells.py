"""Computes one run's numbers on one task: score, interval and counts.

A score is computed from the item values with the averaging rule (aggregation) of the task's
scorer. Where that scorer is not installed, the score in ``summary.json`` is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from harness.board.entry import Answers, Entry
from harness.board.ranks import RankRange
from harness.run.summary import MEAN_OF_ITEMS
from harness.schema import Outcome
from harness.scoring.tags import ScorerTag, task_of_column
from harness.stats import Estimate
from harness.stats.estimate import (
    TreeMean,
    effective_clusters,
    estimate_tree,
    tree_mean,
    with_interval,
)
from harness.task import registry
from harness.task.local_results import LOCAL_TASKS, local_aggregation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task.api import Aggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run on one task; scores are percentages, counts are answers."""

    score: float | None
    ci95: tuple[float, float] | None
    items: int
    """Items the run was asked for."""
    repeats: int
    """How often each item was asked."""
    videos: int
    missing: int
    failed: int
    truncated: int
    no_answer: int
    refused: int
    protocol: str
    scorer: str
    rank: RankRange | None = None
    """None: the run is not ranked on this task."""
    best: bool = False
    """Significantly better than every other ranked run."""
    breakdown: Mapping[str, Mapping[str, Any]]
    """Per category: score, se and n, as in ``summary.json``."""

    @property
    def asked(self) -> int:
        """Answers that the run was asked for."""
        return self.items * self.repeats


def make_cell(entry: Entry, task: str) -> Cell:
    """Return a run's cell, without a rank yet."""
    answers, setting = entry.answers[task], entry.settings[task]
    summary = entry.summaries.get(task, {})
    score, interval = _score_and_interval(entry, task)
    items, repeats = setting["data"]["items"], setting["protocol"].get("repeats", 1)
    return Cell(
        score=score,
        ci95=interval,
        items=items,
        repeats=repeats,
        videos=len(set(answers.items.clusters)),
        missing=items * repeats - answers.n_records,
        failed=answers.outcomes[Outcome.FAILED],
        truncated=answers.outcomes[Outcome.TRUNCATED],
        no_answer=answers.outcomes[Outcome.NO_ANSWER],
        refused=answers.outcomes[Outcome.REFUSED],
        protocol=setting["protocol"]["hash"],
        scorer=setting["protocol"]["scorer"],
        breakdown=summary.get("breakdown", {}),
    )


def _score_and_interval(entry: Entry, task: str) -> tuple[float | None, tuple[float, float] | None]:
    """Score the records; without an aggregation, return what the run's own summary says."""
    means = aggregation_of(entry, task)
    if means is None:
        summary = entry.summaries.get(task, {})
        interval = summary.get("ci95")
        return summary.get("score"), None if interval is None else (interval[0], interval[1])
    return in_percent(estimate_score(entry.answers[task], means))


def in_percent(whole: Estimate | None) -> tuple[float | None, tuple[float, float] | None]:
    """Return score and interval of an estimate in percent."""
    if whole is None:
        return None, None
    interval = whole.ci95
    return 100 * whole.mean, interval and (100 * interval[0], 100 * interval[1])


def has_own_total(entry: Entry, task: str) -> bool:
    """Return whether the official score of a task is not the mean of its items."""
    return MEAN_OF_ITEMS in entry.summaries.get(task, {}).get("extra", {})


def aggregation_of(entry: Entry, task: str) -> Aggregation | None:
    """Return how the items make the score; None where that is unknown here or they do not."""
    if has_own_total(entry, task):
        return None
    tag = entry.settings[task]["protocol"]["scorer"]
    return local_aggregation({LOCAL_TASKS: entry.local}, task, tag) or find_aggregation(task, tag)


@cache
def find_aggregation(column: str, tag: str) -> Aggregation | None:
    """Return the aggregation of a scorer, None where it is not installed.

    Args:
        column: A task, or a column of the board such as ``vsibench [lmms-eval]``.
        tag: The scorer as ``name@version``.
    """
    task = task_of_column(column)
    bridge = registry.bridge_of(task)
    if bridge:
        return bridge.aggregation
    if task not in registry.installed():
        return None
    found = registry.get(task).scorers.get(ScorerTag.parse(tag).rule)
    return found.aggregation if found else None


def estimate_score(answers: Answers, means: Aggregation) -> Estimate | None:
    """Return the score (0 to 1) of the items that have a value, None without any."""
    return scored_items(answers, means).estimate()


_KNOWN: WeakKeyDictionary[Answers, dict[Aggregation, ScoredItems]] = WeakKeyDictionary()


def scored_items(answers: Answers, means: Aggregation) -> ScoredItems:
    """Return the scored items of one task; for the same answers the same object."""
    known = _KNOWN.setdefault(answers, {})
    if means not in known:
        known[means] = ScoredItems.of(answers, means)
    return known[means]


@dataclass(frozen=True)
class ScoredItems:
    """The items that have a value, with their paths in the aggregation tree."""

    values: NDArray[np.float64]
    clusters: list[str]
    paths: list[tuple[str, ...]]
    videos: tuple[str, ...]
    """Every video of the questions, also of those without a value, in order of appearance."""

    @classmethod
    def of(cls, answers: Answers, means: Aggregation) -> ScoredItems:
        """Return the scored items of one task."""
        items = answers.items
        levels = {category: means.levels(category) for category in set(items.categories)}
        kept = np.flatnonzero(~np.isnan(answers.values)).tolist()
        return cls(
            answers.values[kept],
            [items.clusters[position] for position in kept],
            [levels[items.categories[position]] for position in kept],
            tuple(dict.fromkeys(items.clusters)),
        )

    @classmethod
    def joined(cls, tasks: Mapping[str, ScoredItems]) -> ScoredItems:
        """Return the items of several tasks as one tree, each task a branch of equal weight.

        A video that several tasks share is one cluster.
        """
        parts = tasks.values()
        return cls(
            np.concatenate([part.values for part in parts]),
            [cluster for part in parts for cluster in part.clusters],
            [(task, *path) for task, part in tasks.items() for path in part.paths],
            tuple(dict.fromkeys(video for part in parts for video in part.videos)),
        )

    @cached_property
    def _tree(self) -> TreeMean:
        """The mean with what its error is computed from; raises `ValueError` without items."""
        return tree_mean(self.values, self.clusters, self.paths)

    def estimate(self) -> Estimate | None:
        """Return the score (0 to 1), None without items."""
        if not self.clusters:
            return None
        return with_interval(estimate_tree(self._tree, len(self.clusters)))

    def influence(self) -> NDArray[np.float64]:
        """Return each video's contribution to the score, shape (videos,)."""
        moved = dict(zip(dict.fromkeys(self.clusters), self._tree.influence, strict=True))
        return np.array([moved.get(name, 0.0) for name in self.videos])

    def effective_videos(self) -> float:
        """Return how many videos of equal weight give a score as many degrees of freedom."""
        return effective_clusters(self._tree.shares)
