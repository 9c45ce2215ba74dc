"""Says what a reader of a gate's verdicts should know of the baseline and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.gate.baseline import Baseline
from harness.gate.pairing import Pairing
from harness.run.manifest_facts import numeric_differences, partial_tasks
from harness.run.numeric import numeric_of
from harness.schema import Outcome, Record
from harness.task.protocol import repeats_of


def make_notes(
    baseline: Baseline,
    manifest: Mapping[str, Any],
    records: Sequence[Record],
    pairings: Sequence[Pairing],
) -> list[str]:
    """Return what a reader of the verdicts should know of the two sides."""
    others = sorted({record.task for record in records} - set(baseline.tasks))
    return [
        *_note_settings(baseline, manifest, {p.task: len(p.items) for p in pairings}),
        *filter(None, map(_note_common, pairings)),
        *([f"not judged, not in the baseline: {', '.join(others)}"] if others else []),
        *(
            f"{pairing.task}: {pairing.dropped} items that the scorer leaves out count as 0 here"
            for pairing in pairings
            if pairing.dropped
        ),
        *filter(None, map(_note_refusals, pairings)),
        *_note_repeats(baseline, manifest),
    ]


def _note_settings(
    baseline: Baseline, manifest: Mapping[str, Any], compared: Mapping[str, int]
) -> list[str]:
    """Say in which engine settings both sides differ, and which tasks are asked only in part.

    Args:
        baseline: The frozen run.
        manifest: The run's.
        compared: Number of items that are compared, by task.
    """
    lines = numeric_differences(baseline.numeric, numeric_of(manifest))
    partial = [
        f"{task}: only {part} are compared"
        for task, part in partial_tasks(manifest).items()
        if compared.get(task) == manifest["data"][task]["items"]
    ]
    if not lines:
        return partial
    return [f"engine settings differ (baseline != run): {'; '.join(lines)}", *partial]


def _note_common(pairing: Pairing) -> str | None:
    """Say how many items of a task are left out because one side lacks them, None without one."""
    sides = (pairing.only_base, "the run"), (pairing.only_run, "the baseline")
    lacking = [f"{len(ids):,} that {side} lacks (first: {ids[0]})" for ids, side in sides if ids]
    if not lacking:
        return None
    return f"{pairing.task}: left out: {', '.join(lacking)}"


def _note_repeats(baseline: Baseline, manifest: Mapping[str, Any]) -> list[str]:
    """Say how often items were asked on both sides, where it was more than once."""
    before, now = repeats_of(baseline.protocol), repeats_of(manifest["protocol"])
    return [
        f"{task}: items are means over {now[task]} repeats in the run, {before[task]} in the"
        " baseline"
        for task in before
        if task in now and (before[task], now[task]) != (1, 1)
    ]


def _note_refusals(pairing: Pairing) -> str | None:
    """Say how many items of a task were refused, None where none was."""
    before, now = (
        sum(item.outcome is Outcome.REFUSED for item in items)
        for items in (pairing.items, pairing.records)
    )
    if not before and not now:
        return None
    return f"{pairing.task}: refused, worth 0: {now} items in the run, {before} in the baseline"
