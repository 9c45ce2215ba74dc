"""A run frozen into one small file, fit to be committed: what a paired comparison needs of it.

One Parquet row per item; protocol, checkpoint identity, data fingerprints and the locked policy
are JSON in the file's metadata. Each item carries its place in the task's tree of means, so that
gating needs neither the benchmark's data nor its plugin.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.gate.policy import (
    Policy,
    make_policy,
)
from harness.schema import Outcome, Record
from harness.task import registry
from harness.task.api import Aggregation

SCHEMA_VERSION = 1
MAX_TEXT = 200
"""Characters kept of an answer or a text: enough to recognise a flip."""

_METADATA = b"videor1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineItem:
    """One item of a baseline."""

    id: str
    task: str
    cluster: str
    category: str
    path: tuple[str, ...]
    """Place in the task's tree of means."""
    value: float | None
    """None: dropped by the scorer's own rules."""
    outcome: Outcome
    answer: str | None
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A frozen run."""

    items: tuple[BaselineItem, ...]
    protocol: Mapping[str, Any]
    """Per task, as in ``run.json``."""
    data: Mapping[str, Any]
    """Per task, as in ``run.json``."""
    checkpoint: Mapping[str, Any]
    aggregation: Mapping[str, str]
    """Name of each task's tree of means."""
    policy: Policy | None
    """The locked policy; None: nothing is locked."""

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in the order of their items."""
        return list(dict.fromkeys(item.task for item in self.items))


def unfinished(manifest: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """List what keeps a run from being a baseline: items without a record or without an answer."""
    done = Counter(record.task for record in records)
    failed = Counter(record.task for record in records if record.outcome is Outcome.FAILED)
    lines = [
        f"{task}: {data['items'] - done[task]} of {data['items']} items have no record"
        for task, data in manifest["data"].items()
        if done[task] != data["items"]
    ]
    return lines + [f"{task}: {count} items failed" for task, count in failed.items()]


def freeze(
    manifest: Mapping[str, Any], records: Sequence[Record], policy: Policy | None
) -> Baseline:
    """Make a baseline of a finished run.

    Raises:
        UsageError: There are no records, or a record's scorer is not installed.
    """
    if not records:
        raise UsageError("a run without items cannot be a baseline")
    scorers = {record.task: record.scorer for record in records}
    trees = {task: _aggregation(task, tag) for task, tag in scorers.items()}
    ordered = sorted(records, key=lambda record: (record.task, record.id))
    return Baseline(
        items=tuple(_item(record, trees[record.task]) for record in ordered),
        protocol=manifest["protocol"],
        data=manifest["data"],
        checkpoint=manifest["checkpoint"],
        aggregation={task: tree.name for task, tree in trees.items()},
        policy=policy,
    )


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline file; readers see the old or the new one, never half of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [asdict(item) for item in baseline.items]
    metadata = {
        "schema": SCHEMA_VERSION,
        "protocol": baseline.protocol,
        "data": baseline.data,
        "checkpoint": baseline.checkpoint,
        "aggregation": baseline.aggregation,
        "policy": None if baseline.policy is None else asdict(baseline.policy),
    }
    schema = _schema().with_metadata({_METADATA: json.dumps(metadata, sort_keys=True)})
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(columns, schema), beside, compression="zstd")
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises:
        UsageError: It is missing, damaged, empty or no baseline.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        metadata = json.loads((table.schema.metadata or {})[_METADATA])
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise UsageError(
            f"{path}: not a baseline ({error}); `videor1 baseline RUNDIR -o FILE` makes one"
        ) from None
    if metadata["schema"] != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: a baseline of format {metadata['schema']}, this version reads"
            f" {SCHEMA_VERSION}; freeze the run again"
        )
    if not table.num_rows:
        raise UsageError(f"{path}: the baseline holds no items; nothing can be compared with it")
    return _baseline(table.to_pydict(), metadata, path)


def _baseline(
    columns: Mapping[str, list[Any]], metadata: Mapping[str, Any], path: Path
) -> Baseline:
    locked = metadata["policy"]
    rows = zip(*(columns[name] for name in BaselineItem.__dataclass_fields__), strict=True)
    return Baseline(
        items=tuple(_from_row(row) for row in rows),
        protocol=metadata["protocol"],
        data=metadata["data"],
        checkpoint=metadata["checkpoint"],
        aggregation=metadata["aggregation"],
        policy=None if locked is None else make_policy(locked, f"{path}, locked policy"),
    )


def _from_row(row: tuple[Any, ...]) -> BaselineItem:
    fields = dict(zip(BaselineItem.__dataclass_fields__, row, strict=True))
    return BaselineItem(
        **{**fields, "path": tuple(fields["path"]), "outcome": Outcome(fields["outcome"])}
    )


def _item(record: Record, tree: Aggregation) -> BaselineItem:
    return BaselineItem(
        id=record.id,
        task=record.task,
        cluster=record.cluster,
        category=record.category,
        path=tree.levels(record.category),
        value=record.value,
        outcome=record.outcome,
        answer=_short(record.answer),
        text=_short(record.text),
    )


def _short(text: str | None) -> str | None:
    return text if text is None else text[:MAX_TEXT]


def _aggregation(task_name: str, tag: str) -> Aggregation:
    """Find the tree of means that belongs to a record's scorer; a judge does not change it."""
    scorers = registry.get(task_name).scorers
    name = tag.rpartition("@")[0].partition("+judge:")[0]
    if name not in scorers:
        raise UsageError(
            f"the records of {task_name} were scored by {tag!r}, which is not installed;"
            f" it has: {', '.join(scorers)}"
        )
    return scorers[name].aggregation


def _schema() -> Any:
    import pyarrow as pa

    text = ("id", "task", "cluster", "category", "outcome", "answer", "text")
    types = {name: pa.string() for name in text}
    types |= {"path": pa.list_(pa.string()), "value": pa.float64()}
    return pa.schema([(name, types[name]) for name in BaselineItem.__dataclass_fields__])
