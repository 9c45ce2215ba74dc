"""Computes all figures of a probe from the plans and records of its variants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.probe.blind_gap import measure_gaps, what_is_missing
from harness.probe.measures import MEASURES, measure_task
from harness.probe.summary import BlindGap, TaskMeasure
from harness.run.plan import Plan
from harness.schema import Record, Variant


def measure_all(
    plans: Mapping[str, Plan], records: Mapping[str, Sequence[Record]]
) -> dict[str, dict[str, TaskMeasure]]:
    """Compute every measure whose variant was asked, by measure and task."""
    by_task = {name: _by_task(some) for name, some in records.items()}
    ordered = {one.task.name: one for one in plans[Variant.ORDERED].tasks}
    return {
        measure.name: {
            other.task.name: measure_task(
                measure,
                ordered[other.task.name],
                other,
                (
                    by_task[Variant.ORDERED].get(other.task.name, ()),
                    by_task[measure.variant].get(other.task.name, ()),
                ),
            )
            for other in plans[measure.variant].tasks
        }
        for measure in MEASURES
        if measure.variant in plans
    }


def measure_all_gaps(
    plans: Mapping[str, Plan], records: Mapping[str, Sequence[Record]]
) -> dict[str, dict[str, BlindGap]]:
    """Compute the full sets and their parts with and without frames, of tasks that have parts."""
    if Variant.BLIND not in plans:
        return {}
    seen, blind = (_by_task(records[name]) for name in (Variant.ORDERED, Variant.BLIND))
    ordered = {one.task.name: one for one in plans[Variant.ORDERED].tasks}
    found = {
        name: measure_gaps(ordered[name], one, (seen.get(name, ()), blind.get(name, ())))
        for one in plans[Variant.BLIND].tasks
        for name in [one.task.name]
    }
    return {name: gaps for name, gaps in found.items() if gaps}


def missing_gaps(plans: Mapping[str, Plan]) -> dict[str, str]:
    """Return by task what it takes to have all figures of `measure_all_gaps`."""
    blind = Variant.BLIND in plans
    found = {
        one.task.name: what_is_missing(one, blind=blind) for one in plans[Variant.ORDERED].tasks
    }
    return {name: why for name, why in found.items() if why is not None}


def _by_task(records: Sequence[Record]) -> dict[str, Sequence[Record]]:
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.task].append(record)
    return dict(found)
