"""The numbers of one run on one task: its score, and what each video contributed to it.

The score is the task's own aggregation of the item values, as `harness.summary` makes it, so a
board and the run's own table agree. A video's influence is the sum of its items' weighted
residuals; differences of two runs' influences carry the paired, clustered uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness import task as task_registry
from harness.board.entries import Answers
from harness.stats import Estimate, clustered_estimate
from harness.stats.estimate import tree_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Aggregation


@cache
def find_aggregation(task: str, scorer: str) -> Aggregation | None:
    """Return how a scorer (``name@version``) is aggregated, None where it is not installed."""
    task = task.partition(" [")[0]  # a column of a score file, see `harness.board.score_files`
    bridge = task_registry.bridge_of(task)
    if bridge:
        return bridge.aggregation
    if task not in task_registry.installed():
        return None
    # A judge (``official+judge:model@1``) helps a rule and leaves its aggregation as it is.
    name = scorer.partition("+judge")[0].partition("@")[0]
    found = task_registry.get(task).scorers.get(name)
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
