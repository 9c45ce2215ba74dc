"""The end of a run: summaries from records, written and judged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.plan import Plan
from harness.schema import Outcome, Record, TaskSummary
from harness.store import SUMMARY, write_json, write_parquet
from harness.summary import summarise
from harness.timing import Timing


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
    kept = _timing(folder / SUMMARY) if timing is None else timing.as_json()
    if kept is not None:
        summary["timing"] = kept
    write_json(folder / SUMMARY, summary)
    write_parquet(folder, records)


def _timing(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    stored: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")).get("timing")
    return stored


def _by_task(plan: Plan, records: Mapping[str, Record]) -> dict[str, Sequence[Record]]:
    """Order records as the plan's samples, so that sums do not depend on who finished first."""
    grouped: defaultdict[str, list[Record]] = defaultdict(list)
    for planned in plan.tasks:
        for sample in planned.samples:
            if sample.id in records:
                grouped[planned.task.name].append(records[sample.id])
    return dict(grouped)
