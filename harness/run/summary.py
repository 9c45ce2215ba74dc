"""From records to the numbers of a task: score, interval, outcomes, breakdown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.files import write_json
from harness.run.plan import Plan
from harness.run.store import (
    SUMMARY,
    write_parquet,
)
from harness.run.summary_shape import read_timing_fields
from harness.run.timing import Timing
from harness.schema import Outcome, Record, TaskSummary
from harness.stats import Estimate, clustered_estimate
from harness.task.api import (
    Aggregation,
    Scorer,
    Task,
)

MEAN_OF_ITEMS = "mean_of_items"
"""An extra figure that a task has where its own number is not the mean of its items."""

SAME = 5e-4
"""How far rounding may take a publisher's own number (0 to 1) from the mean of its items."""

Breakdown = dict[str, dict[str, float | int | None]]


def summarise(
    task: Task,
    scorer: Scorer,
    expected: Collection[str],
    run: Mapping[str, Sequence[Record]],
    *,
    protocol_hash: str,
) -> TaskSummary:
    """Summarise one task of a run.

    Args:
        task: The benchmark.
        scorer: Whose aggregation makes the score.
        expected: Ids of all items the run was asked for.
        run: The run's records by task name, one per id.
        protocol_hash: Hash of the protocol the records were made under.
    """
    records = run.get(task.name, ())
    scored = [record for record in records if record.value is not None]
    whole = _estimate(scored, scorer.aggregation)
    own = scorer.total(records) if scorer.total else None
    # An error belongs to the mean it was computed for; a number made otherwise stands without.
    fits = whole is not None and (own is None or abs(own - whole.mean) <= SAME)
    error, interval = (whole.se, whole.ci95) if whole is not None and fits else (None, None)
    score = whole.mean if own is None and whole is not None else own
    return TaskSummary(
        score=None if score is None else 100 * score,
        se=None if error is None else 100 * error,
        ci95=None if interval is None else _percent(interval),
        n=len(expected),
        n_scored=len(scored),
        n_clusters=0 if whole is None else whole.n_clusters,
        outcomes=_outcomes(records),
        dropped=sum(r.value is None and r.outcome is not Outcome.FAILED for r in records),
        missing=len(expected) - len(records),
        breakdown=_breakdown(scored, scorer.aggregation),
        scorer=scorer.tag,
        aggregation=scorer.aggregation.name,
        protocol_hash=protocol_hash,
        extra=task.extra(run),
    )


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
    """Score every group a reader may ask for: category prefixes, margins, the tree's own groups.

    A margin such as ``*/action`` pools the last level over the levels above it. A group of the
    aggregation tree (VSI-Bench's relative direction) has the tree's own mean.
    """
    plain: defaultdict[str, list[Record]] = defaultdict(list)
    tree: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        for name in _groups(record.category):
            plain[name].append(record)
    for record in records:
        path = means.levels(record.category)
        if path and path[0] not in plain:
            tree[path[0]].append(record)
    table = {name: _line(_estimate(group)) for name, group in plain.items()}
    below = Aggregation(name=means.name, levels=lambda category: means.levels(category)[1:])
    table |= {name: _line(_estimate(group, below)) for name, group in tree.items()}
    return dict(sorted(table.items()))


def _groups(category: str) -> Iterable[str]:
    parts = category.split("/")
    for depth in range(len(parts)):
        yield "/".join(parts[: depth + 1])
        if depth:
            yield "/".join(["*"] * depth + [parts[depth]])


def _line(estimate: Estimate | None) -> dict[str, float | int | None]:
    if estimate is None:
        return {"score": None, "se": None, "n": 0}
    se = None if estimate.se is None else 100 * estimate.se
    return {"score": 100 * estimate.mean, "se": se, "n": estimate.n}


@dataclass(frozen=True, slots=True)
class Results:
    """The summaries of a run's tasks, in the order they were asked for."""

    tasks: Mapping[str, TaskSummary]

    @property
    def n(self) -> int:
        """Items the run was asked for."""
        return sum(summary.n for summary in self.tasks.values())

    @property
    def failed(self) -> int:
        """Items without an answer because of the media or the engine."""
        return sum(s.outcomes.get(Outcome.FAILED, 0) for s in self.tasks.values())

    @property
    def missing(self) -> int:
        """Items without a record."""
        return sum(summary.missing for summary in self.tasks.values())


def summarise_run(plan: Plan, records: Mapping[str, Record]) -> Results:
    """Summarise every task of a plan from the records of its run, keyed by item id."""
    run = _by_task(plan, records)
    return Results(
        {
            planned.task.name: summarise(
                planned.task,
                planned.scorer,
                [sample.id for sample in planned.samples],
                run,
                protocol_hash=planned.protocol.hash,
            )
            for planned in plan.tasks
        }
    )


def write_results(
    folder: Path, results: Results, records: Mapping[str, Record], timing: Timing | None = None
) -> None:
    """Write ``summary.json`` and ``records.parquet``.

    All but the timing can be made again from the records. Without a timing, that of the invocation
    which did the work stays.
    """
    summary: dict[str, Any] = {"tasks": {name: asdict(one) for name, one in results.tasks.items()}}
    kept = read_timing_fields(folder / SUMMARY) if timing is None else timing.as_json()
    if kept is not None:
        summary["timing"] = kept
    write_json(folder / SUMMARY, summary)
    write_parquet(folder, records)


def _by_task(plan: Plan, records: Mapping[str, Record]) -> dict[str, Sequence[Record]]:
    """Order records as the plan's samples, so that sums do not depend on who finished first."""
    grouped: defaultdict[str, list[Record]] = defaultdict(list)
    for planned in plan.tasks:
        for sample in planned.samples:
            if sample.id in records:
                grouped[planned.task.name].append(records[sample.id])
    return dict(grouped)
