"""Computes what the first page says of each run: scores, categories, outcomes, failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.board.cells import find_aggregation
from harness.report.answers import Answers
from harness.run.summary import MEAN_OF_ITEMS, estimate_groups, estimate_score
from harness.schema import Outcome, Record
from harness.stats import Estimate
from harness.task.api import Aggregation
from harness.task.local_results import local_aggregation

PLAIN_MEAN = Aggregation(name="micro", levels=lambda category: ())
"""Used for categories where the scorer of a run is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A score in percent with its 95 % interval, or a difference in points."""

    score: float | None
    ci95: tuple[float, float] | None
    n: int
    """Items that it is made of."""
    videos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFigures:
    """One run on one task."""

    whole: Figure
    categories: Mapping[str, Figure]
    outcomes: Mapping[str, int]
    """Answers per outcome."""
    asked: int
    """Answers that the run was asked for."""
    missing: int
    """Answers without a record."""
    note: str
    """What to know about the score; empty if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReason:
    """Answers that failed for one reason."""

    stage: str
    error: str
    message: str
    count: int
    first: str
    """Id of the first item."""


def aggregation_of(answers: Answers, task: str) -> Aggregation | None:
    """Return how a task's items make its score; None where the scorer is not installed."""
    manifest = answers.source.manifest
    tag = manifest["protocol"][task]["scorer"]
    return local_aggregation(manifest, task, tag) or find_aggregation(task, tag)


def has_own_score(answers: Answers, task: str) -> bool:
    """Return whether the benchmark's own score is not the mean of its items."""
    return MEAN_OF_ITEMS in answers.summaries.get(task, {}).get("extra", {})


def measure_task(answers: Answers, task: str) -> TaskFigures:
    """Compute the figures of one task of a run from its records."""
    manifest, scored = answers.source.manifest, answers.task_records(task)
    means = aggregation_of(answers, task)
    groups = estimate_groups(scored, means or PLAIN_MEAN)
    whole, note = _measure_score(answers, task, scored, means)
    counts = Counter(r.outcome.value for r in answers.records.values() if r.task == task)
    asked = manifest["data"][task]["items"] * manifest["protocol"][task].get("repeats", 1)
    return TaskFigures(
        whole=whole,
        categories={name: figure_of(found) for name, found in groups.items()},
        outcomes={outcome.value: counts[outcome.value] for outcome in Outcome},
        asked=asked,
        missing=max(0, asked - counts.total()),
        note=note,
    )


def figure_of(estimate: Estimate) -> Figure:
    """Return an estimate from 0 to 1 in percent."""
    interval = estimate.ci95
    return Figure(
        score=100 * estimate.mean,
        ci95=interval and (100 * interval[0], 100 * interval[1]),
        n=estimate.n,
        videos=estimate.n_clusters,
    )


def list_failures(records: Iterable[Record]) -> list[FailureReason]:
    """Group failed answers by their reason, most frequent first."""
    reasons: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for record in records:
        if record.failure is not None:
            failure = record.failure
            reasons[failure.stage, failure.error, failure.message].append(record.id)
    found = [
        FailureReason(stage=stage, error=error, message=message, count=len(ids), first=ids[0])
        for (stage, error, message), ids in reasons.items()
    ]
    return sorted(found, key=lambda reason: -reason.count)


def _measure_score(
    answers: Answers, task: str, scored: list[Record], means: Aggregation | None
) -> tuple[Figure, str]:
    """Return a task's score with a note, computed from items wherever these make it."""
    summary = answers.summaries.get(task, {})
    videos = len({record.cluster for record in scored})
    if means is None or has_own_score(answers, task):
        scorer = answers.source.manifest["protocol"][task]["scorer"]
        note = (
            f"scorer {scorer} is not installed here; the score is the one in summary.json"
            if means is None
            else "the benchmark's own score is not a mean of items"
        )
        interval = summary.get("ci95")
        found = Figure(
            score=summary.get("score"),
            ci95=(interval[0], interval[1]) if interval else None,
            n=len(scored),
            videos=videos,
        )
        return found, note
    whole = estimate_score(scored, means)
    if whole is None:
        return Figure(score=None, ci95=None, n=0, videos=0), "no item has a score"
    note = "" if whole.ci95 else "one video alone shows no spread: no interval"
    return figure_of(whole), note
