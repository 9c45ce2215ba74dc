"""From records to the numbers of a task: score, interval, outcomes, breakdown."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.files import write_json
from harness.run.plan import Plan, PlannedTask
from harness.run.repeats import merge_repeats, summarise_repeats
from harness.run.store import (
    SUMMARY,
    write_parquet,
)
from harness.run.summary_shape import read_accounts, read_timing_fields
from harness.run.timing import Timing
from harness.schema import Outcome, Record, TaskSummary
from harness.stats import Estimate, clustered_estimate
from harness.task.api import Aggregation, Scorer, Task

MEAN_OF_ITEMS = "mean_of_items"
"""An extra figure that a task has where its own number is not the mean of its items."""

SAME = 5e-4
"""How far rounding may take a publisher's own number (0 to 1) from the mean of its items."""

Breakdown = dict[str, dict[str, float | int | None]]


def summarise(planned: PlannedTask, run: Mapping[str, Sequence[Record]]) -> TaskSummary:
    """Summarise one task of a run.

    Args:
        planned: The task as the run asks it; its scorer's aggregation makes the score.
        run: The run's records by task name, one per item and repeat.
    """
    task, scorer, repeats = planned.task, planned.scorer, planned.protocol.repeats
    answers = run.get(task.name, ())
    records = merge_repeats(answers)
    scored = [record for record in records if record.value is not None]
    whole = estimate_score(answers, scorer.aggregation)
    score, error, interval = _score_with_error(answers, scorer, whole)
    levels = scorer.aggregation.levels
    return TaskSummary(
        score=None if score is None else 100 * score,
        se=None if error is None else 100 * error,
        ci95=None if interval is None else _percent(interval),
        n=len(planned.samples),
        n_scored=len(scored),
        n_clusters=0 if whole is None else whole.n_clusters,
        outcomes=_outcomes(answers),
        dropped=sum(r.value is None and r.outcome is not Outcome.FAILED for r in records),
        missing=len(planned.samples) * repeats - len(answers),
        breakdown=_breakdown(scored, scorer.aggregation),
        scorer=scorer.tag,
        aggregation=scorer.aggregation.name,
        protocol_hash=planned.protocol.hash,
        extra=_extra(task, run),
        repeats=summarise_repeats(planned.samples, answers, repeats, levels)
        if repeats > 1
        else None,
    )


def estimate_score(answers: Iterable[Record], means: Aggregation) -> Estimate | None:
    """Estimate the score of the answers so far, from 0 to 1; None where none has a value.

    Repeats of an item are averaged first.
    """
    return _estimate([r for r in merge_repeats(answers) if r.value is not None], means)


def _score_with_error(
    answers: Sequence[Record], scorer: Scorer, whole: Estimate | None
) -> tuple[float | None, float | None, tuple[float, float] | None]:
    """Return score, standard error and interval, from 0 to 1; `whole` is the mean of items."""
    if scorer.units is not None:
        whole, own = _estimate_units(answers, scorer.units), None
    else:
        own = _mean_over_repeats(answers, scorer.total) if scorer.total else None
    if whole is None or (own is not None and abs(own - whole.mean) > SAME):
        # An error belongs to the mean it was computed for; a number made otherwise has none.
        return own, None, None
    return whole.mean if own is None else own, whole.se, whole.ci95


def _estimate_units(
    answers: Sequence[Record], units: Callable[[Sequence[Record]], Mapping[str, float]]
) -> Estimate | None:
    """Estimate the mean of values of clusters; with repeats each value is the mean over them."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for one in _by_repeat(answers).values():
        for cluster, value in units(one).items():
            found[cluster].append(value)
    if not found:
        return None
    means = [math.fsum(values) / len(values) for values in found.values()]
    return clustered_estimate(means, list(found))


def _mean_over_repeats(
    records: Sequence[Record], total: Callable[[Sequence[Record]], float | None]
) -> float | None:
    """Return a publisher's own number; with repeats its mean over them, one of each item a time."""
    found = [total(one) for one in _by_repeat(records).values()]
    known = [number for number in found if number is not None]
    return math.fsum(known) / len(known) if known else total(())


def _extra(task: Task, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
    """Return the further figures of a benchmark; with repeats their means over the repeats."""
    by_task = {name: _by_repeat(records) for name, records in run.items()}
    numbers = sorted({number for repeats in by_task.values() for number in repeats})
    if len(numbers) < 2:
        return task.extra(run)
    figures: defaultdict[str, list[float]] = defaultdict(list)
    for number in numbers:
        alone = {name: repeats.get(number, ()) for name, repeats in by_task.items()}
        for name, figure in task.extra(alone).items():
            figures[name].append(figure)
    return {name: math.fsum(values) / len(values) for name, values in figures.items()}


def _by_repeat(records: Sequence[Record]) -> dict[int, Sequence[Record]]:
    repeats: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        repeats[record.repeat].append(record)
    return dict(repeats)


def _outcomes(records: Sequence[Record]) -> dict[str, int]:
    counts = Counter(record.outcome for record in records)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def _percent(interval: tuple[float, float]) -> tuple[float, float]:
    return 100 * interval[0], 100 * interval[1]


def _estimate(records: Sequence[Record], means: Aggregation | None = None) -> Estimate | None:
    if not records:
        return None
    paths = [means.levels(record.category) if means else () for record in records]
    values = [record.value or 0.0 for record in records]
    return clustered_estimate(values, [record.cluster for record in records], paths)


def _breakdown(records: Sequence[Record], means: Aggregation) -> Breakdown:
    """Return score, standard error and size of every group that `estimate_groups` finds."""
    return {name: _line(found) for name, found in estimate_groups(records, means).items()}


def estimate_groups(records: Sequence[Record], means: Aggregation) -> dict[str, Estimate]:
    """Score every group a reader may ask for: category prefixes, margins, the tree's own groups.

    A margin such as ``*/action`` pools the last level over the levels above it. A group of the
    aggregation tree (VSI-Bench's relative direction) has the tree's own mean.
    """
    plain: defaultdict[str, list[Record]] = defaultdict(list)
    tree: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        for name in category_groups(record.category):
            plain[name].append(record)
    for record in records:
        path = means.levels(record.category)
        if path and path[0] not in plain:
            tree[path[0]].append(record)
    below = Aggregation(name=means.name, levels=lambda category: means.levels(category)[1:])
    found = {name: _estimate(group) for name, group in plain.items()}
    found |= {name: _estimate(group, below) for name, group in tree.items()}
    return {name: one for name, one in sorted(found.items()) if one is not None}


def category_groups(category: str) -> Iterable[str]:
    """Yield every group that an item of a category belongs to: prefixes and margins.

    ``a/b`` belongs to ``a``, ``a/b`` and the margin ``*/b``.
    """
    parts = category.split("/")
    for depth in range(len(parts)):
        yield "/".join(parts[: depth + 1])
        if depth:
            yield "/".join(["*"] * depth + [parts[depth]])


def is_subcategory(name: str) -> bool:
    """Return whether a group is finer than those that tables show."""
    return "/" in name.removeprefix("*/")


def _line(estimate: Estimate | None) -> dict[str, float | int | None]:
    if estimate is None:
        return {"score": None, "se": None, "ci95_low": None, "ci95_high": None, "n": 0}
    low, high = (None, None) if estimate.ci95 is None else _percent(estimate.ci95)
    return {
        "score": 100 * estimate.mean,
        "se": None if estimate.se is None else 100 * estimate.se,
        "ci95_low": low,
        "ci95_high": high,
        "n": estimate.n,
    }


@dataclass(frozen=True, slots=True)
class Results:
    """The summaries of a run's tasks, in the order they were asked for."""

    tasks: Mapping[str, TaskSummary]

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the summaries by task, as files hold them; without repeats nothing is said."""
        found = {name: asdict(summary) for name, summary in self.tasks.items()}
        for summary in found.values():
            if summary["repeats"] is None:
                del summary["repeats"]
        return found

    @property
    def n(self) -> int:
        """Items the run was asked for."""
        return sum(summary.n for summary in self.tasks.values())

    @property
    def asked(self) -> int:
        """Answers the run was asked for: items times repeats."""
        return sum(summary.asked for summary in self.tasks.values())

    @property
    def failed(self) -> int:
        """Answers that are missing because of the media or the engine."""
        return sum(s.outcomes.get(Outcome.FAILED, 0) for s in self.tasks.values())

    @property
    def missing(self) -> int:
        """Answers without a record."""
        return sum(summary.missing for summary in self.tasks.values())


def summarise_run(plan: Plan, records: Iterable[Record]) -> Results:
    """Summarise every task of a plan from the records of its run."""
    run = _by_task(plan, records)
    return Results({planned.task.name: summarise(planned, run) for planned in plan.tasks})


def write_results(
    folder: Path,
    results: Results,
    records: Iterable[Record],
    timing: Timing | None = None,
    replicas: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write ``summary.json`` and ``records.parquet``.

    All but the timing can be made again from the records. Without a timing, that of the invocation
    which did the work stays. Accounts of replicas are added to those of earlier invocations.
    """
    summary: dict[str, Any] = {"tasks": results.as_json()}
    kept = read_timing_fields(folder / SUMMARY) if timing is None else timing.as_json()
    if kept is not None:
        summary["timing"] = kept
    accounts = [*read_accounts(folder / SUMMARY), *replicas]
    if accounts:
        summary["replicas"] = accounts
    write_json(folder / SUMMARY, summary)
    write_parquet(folder, records)


def _by_task(plan: Plan, records: Iterable[Record]) -> dict[str, Sequence[Record]]:
    """Order records as the plan's samples, so that sums do not depend on who finished first."""
    known: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        known[record.id].append(record)
    grouped: defaultdict[str, list[Record]] = defaultdict(list)
    for planned in plan.tasks:
        for sample in planned.samples:
            found = known.get(sample.id, ())
            grouped[planned.task.name] += sorted(found, key=lambda record: record.repeat)
    return {name: found for name, found in grouped.items() if found}
