"""Reads the summaries of a stored run: those it has, or new ones from its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.run.result import Run
from harness.run.store import read_manifest
from harness.run.stored_plan import stored_plan
from harness.run.summary import Results, summarise_run
from harness.schema import Outcome, Record, TaskSummary
from harness.task import registry
from harness.task.local_results import local_of
from harness.task.protocol import complete


def read_results(folder: Path, records: Sequence[Record]) -> tuple[Results, str | None]:
    """Return a run's summaries, and why scores are missing in them; None: none is.

    A finished run has them in ``summary.json``. Of one that was interrupted they are computed from
    the records so far, where benchmark and scorer are installed here.

    Args:
        folder: The run directory.
        records: Its records, as `harness.run.store.read_records` returns them.

    Raises:
        UsageError: The folder is not a run directory.
        DatasetError: A file of the run is damaged.
    """
    manifest = read_manifest(folder)
    stored = Run(folder).scores
    if stored and _are_of(stored, records):
        return Results(in_order(stored, manifest)), None
    bridged = [name for name in manifest["protocol"] if registry.bridge_of(name)]
    if bridged:
        why = f"the scores of {', '.join(bridged)} need their data; run the same command again"
        return Results(_count(manifest, records)), why
    local = [about["file"] for name in manifest["protocol"] if (about := local_of(manifest, name))]
    if local:
        why = f"the scores need {', '.join(local)}; run the same command again"
        return Results(_count(manifest, records)), why
    try:
        plan = stored_plan(folder, records)
    except UsageError as error:
        return Results(_count(manifest, records)), str(error)
    made = summarise_run(plan, records).tasks
    return Results({name: _with_all_items(one, manifest, name) for name, one in made.items()}), None


def in_order(
    summaries: Mapping[str, TaskSummary], manifest: Mapping[str, Any]
) -> dict[str, TaskSummary]:
    """Return summaries in the order in which the tasks were asked for; files sort them by name."""
    names = [registry.name_of(selection) for selection in manifest.get("tasks", ())]
    first = {name: summaries[name] for name in names if name in summaries}
    return {**first, **summaries}


def _are_of(stored: Mapping[str, TaskSummary], records: Sequence[Record]) -> bool:
    """Return whether summaries count exactly these records."""
    counted = {
        (name, outcome): count
        for name, one in stored.items()
        for outcome, count in one.outcomes.items()
        if count
    }
    return counted == dict(Counter((record.task, record.outcome.value) for record in records))


def _with_all_items(summary: TaskSummary, manifest: Mapping[str, Any], task: str) -> TaskSummary:
    """Return a summary with the number of questions that ``run.json`` names."""
    items = manifest["data"][task]["items"]
    unknown = (items - summary.n) * (1 if summary.repeats is None else summary.repeats.k)
    return replace(summary, n=items, missing=summary.missing + unknown)


def _count(manifest: Mapping[str, Any], records: Sequence[Record]) -> dict[str, TaskSummary]:
    """Return summaries of the tasks that hold counts and no scores."""
    return {task: _count_task(task, manifest, records) for task in manifest["protocol"]}


def _count_task(task: str, manifest: Mapping[str, Any], records: Sequence[Record]) -> TaskSummary:
    protocol, found = complete(manifest["protocol"][task]), [r for r in records if r.task == task]
    items, counts = manifest["data"][task]["items"], Counter(record.outcome for record in found)
    return TaskSummary(
        score=None,
        se=None,
        ci95=None,
        n=items,
        n_scored=len({record.id for record in found if record.value is not None}),
        n_clusters=len({record.cluster for record in found}),
        outcomes={outcome.value: counts[outcome] for outcome in Outcome},
        dropped=0,
        missing=items * protocol["repeats"] - len(found),
        breakdown={},
        scorer=protocol["scorer"],
        aggregation="unknown",
        protocol_hash=protocol.get("hash", "-"),
    )
