"""Makes the plan of a stored run again from its files, without the data of its benchmarks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import reader_of
from harness.run.manifest_shape import require_plan
from harness.run.plan import Plan, PlannedTask
from harness.run.samples_file import StoredSample, read_samples
from harness.run.store import MANIFEST, read_manifest
from harness.schema import Kind, Record, Sample
from harness.scoring.tags import ScorerTag
from harness.task import registry
from harness.task.api import Scorer, Task
from harness.task.protocol import Protocol


def stored_plan(folder: Path, records: Iterable[Record]) -> Plan:
    """Return the plan of a run directory, for summaries of its records.

    Questions come from ``samples.jsonl``; a run of before has those that have a record. Media are
    left out.

    Raises:
        UsageError: The folder is not a run directory, or a task or scorer of it is not installed.
        DatasetError: A file of the run is damaged.
    """
    manifest = read_manifest(folder)
    require_plan(manifest, str(folder / MANIFEST))
    samples: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
    for stored in read_samples(folder).values():
        samples[stored.task][stored.id] = _as_sample(stored)
    for record in records:
        samples[record.task].setdefault(record.id, _sample_of(record))
    return Plan(
        tuple(
            _plan_task(selection, manifest, tuple(samples[registry.name_of(selection)].values()))
            for selection in manifest["tasks"]
        )
    )


def stored_protocol(stored: Mapping[str, Any], **changes: str) -> Protocol:
    """Return a protocol of ``run.json`` with some fields changed."""
    fields = {name: value for name, value in stored.items() if name != "hash"} | changes
    where = f"{MANIFEST}, protocol of {fields.get('task')}"
    return reader_of(Protocol)(json.dumps(fields).encode(), where)


def stored_scorer(task: Task, tag: str) -> Scorer:
    """Return a task's scorer under the tag that a run has: its version, and its judge.

    Raises:
        UsageError: The task has no such scorer here.
    """
    wanted = ScorerTag.parse(tag)
    if wanted.rule not in task.scorers:
        raise UsageError(f"task {task.name!r} has no scorer {wanted.rule!r} here")
    return replace(task.scorers[wanted.rule], name=wanted.name, version=wanted.version)


def _plan_task(
    selection: str, manifest: Mapping[str, Any], samples: tuple[Sample, ...]
) -> PlannedTask:
    name = registry.name_of(selection)
    task, stored = registry.get(name), manifest["protocol"][name]
    return PlannedTask(
        selection=selection,
        task=task,
        protocol=stored_protocol(stored),
        scorer=stored_scorer(task, stored["scorer"]),
        samples=samples,
        fingerprint=manifest["data"][name]["sha256"],
    )


def _as_sample(stored: StoredSample) -> Sample:
    return Sample(
        id=stored.id,
        task=stored.task,
        question=stored.question,
        answer=stored.gold,
        kind=stored.kind,
        category=stored.category,
        cluster=stored.cluster,
        options=stored.options,
    )


def _sample_of(record: Record) -> Sample:
    """Return what a record says of its question; of an unknown kind no majority is taken."""
    return Sample(
        id=record.id,
        task=record.task,
        question="",
        answer=record.gold,
        kind=Kind.REGRESSION,
        category=record.category,
        cluster=record.cluster,
    )
