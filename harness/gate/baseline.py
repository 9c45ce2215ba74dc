"""Freezes a run into one small file: everything that a paired comparison needs.

One Parquet row per item; protocol, checkpoint identity, data fingerprints and the locked policy
are JSON in the file's metadata. Each item carries its path in the task's aggregation tree, so that
gating needs neither the benchmark's data nor its plugin.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import IncompleteRunError, UsageError
from harness.files import Fields, write_atomically
from harness.gate.baseline_shape import check_columns, check_metadata, read_columns
from harness.gate.policy import Policy, make_policy
from harness.probe.gains import read_run
from harness.run.numeric import numeric_of
from harness.run.repeats import merge_repeats
from harness.schema import Outcome, Record
from harness.scoring.tags import ScorerTag, task_of_column
from harness.task import registry
from harness.task.api import Aggregation
from harness.task.local_results import local_aggregation
from harness.task.protocol import complete_all, repeats_of

SCHEMA_VERSION = 1
MAX_TEXT = 200
"""Characters kept of an answer or a text: enough to recognise an item that changed."""

_METADATA = b"videor1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineItem:
    """One item of a baseline."""

    id: str
    task: str
    cluster: str
    category: str
    path: tuple[str, ...]
    """Path in the task's aggregation tree."""
    value: float | None
    """0 to 1, for a temporal gain from -1; None: the scorer leaves the item out."""
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
    numeric: Mapping[str, Any] = field(default_factory=dict)
    """Engine settings that can change an answer, as in ``run.json``."""
    aggregation: Mapping[str, str]
    """Name of each task's aggregation."""
    policy: Policy | None
    """The locked policy, None without one."""

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in the order of their items."""
        return list(dict.fromkeys(item.task for item in self.items))


def freeze_run(folder: Path, policy: Policy | None = None) -> Baseline:
    """Make a baseline of a complete run directory, or of a probe's folder with its temporal gains.

    Raises:
        UsageError: The folder is neither or has no records, or a record's scorer is
            not installed.
        IncompleteRunError: Items have no record, or failed.
    """
    manifest, records = read_run(folder)
    if not records:
        raise UsageError(f"{folder}: the run has no records; evaluate first, then freeze it")
    gaps = _list_gaps(manifest, records)
    if gaps:
        raise IncompleteRunError(
            f"{folder} cannot be a baseline: {'; '.join(gaps)};"
            " run the same `videor1 eval` again to complete it"
        )
    return freeze(manifest, records, policy)


def _list_gaps(manifest: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """List the tasks with answers that have no record, or with items that no repeat answered."""
    done, repeats = Counter(record.task for record in records), repeats_of(manifest["protocol"])
    failed = Counter(r.task for r in merge_repeats(records) if r.outcome is Outcome.FAILED)
    lines = []
    for task, data in manifest["data"].items():
        asked = data["items"] * repeats[task]
        if done[task] != asked:
            what = "items" if repeats[task] == 1 else "answers"
            lines.append(f"{task}: {asked - done[task]} of {asked} {what} have no record")
    return lines + [f"{task}: {count} items failed" for task, count in failed.items()]


def freeze(
    manifest: Mapping[str, Any], records: Sequence[Record], policy: Policy | None
) -> Baseline:
    """Make a baseline of the manifest and the records of a complete run.

    An item's value is the mean over its repeats.

    Raises:
        UsageError: A record's scorer is not installed.
    """
    scorers = {record.task: record.scorer for record in records}
    trees = {
        task: local_aggregation(manifest, task, tag) or _find_aggregation(task, tag)
        for task, tag in scorers.items()
    }
    items = merge_repeats(records, left_out=0.0)
    ordered = sorted(items, key=lambda record: (record.task, record.id))
    return Baseline(
        items=tuple(_make_item(record, trees[record.task]) for record in ordered),
        protocol=complete_all(manifest)["protocol"],
        data=manifest["data"],
        checkpoint=manifest["checkpoint"],
        numeric=numeric_of(manifest),
        aggregation={task: tree.name for task, tree in trees.items()},
        policy=policy,
    )


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline file; a reader sees the old or the new content, never a part of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [asdict(item) for item in baseline.items]
    metadata = {
        "schema": SCHEMA_VERSION,
        "protocol": baseline.protocol,
        "data": baseline.data,
        "checkpoint": baseline.checkpoint,
        "numeric": baseline.numeric,
        "aggregation": baseline.aggregation,
        "policy": None if baseline.policy is None else asdict(baseline.policy),
    }
    schema = _arrow_schema().with_metadata({_METADATA: json.dumps(metadata, sort_keys=True)})
    table = pa.Table.from_pylist(columns, schema)
    write_atomically(
        path,
        lambda temporary: pq.write_table(
            table, temporary, compression="zstd", write_page_checksum=True
        ),
    )


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises:
        UsageError: It is missing, damaged, empty or not a baseline, or a row is out of range; names
            file, row, field, expected and found.
    """
    columns, content = read_columns(path, _arrow_schema(), _METADATA)
    metadata = Fields(content, f"{path}, metadata")
    if content.get("schema") != SCHEMA_VERSION:
        raise metadata.bad(
            "schema", f"{SCHEMA_VERSION}; freeze the run again with `videor1 baseline`"
        )
    if not columns["id"]:
        raise UsageError(f"{path}: the baseline has no items; freeze a run that has some")
    check_metadata(metadata)
    check_columns(columns, metadata, path)
    return _make_baseline(columns, content, path)


def _make_baseline(
    columns: Mapping[str, list[Any]], metadata: Mapping[str, Any], path: Path
) -> Baseline:
    locked = metadata.get("policy")
    rows = zip(*(columns[name] for name in BaselineItem.__dataclass_fields__), strict=True)
    return Baseline(
        items=tuple(_item_of_row(row) for row in rows),
        protocol=complete_all(metadata)["protocol"],
        data=metadata["data"],
        checkpoint=metadata["checkpoint"],
        numeric=numeric_of(metadata),
        aggregation=metadata["aggregation"],
        policy=None if locked is None else make_policy(locked, f"{path}, locked policy"),
    )


def _item_of_row(row: tuple[Any, ...]) -> BaselineItem:
    fields = dict(zip(BaselineItem.__dataclass_fields__, row, strict=True))
    return BaselineItem(
        **{**fields, "path": tuple(fields["path"]), "outcome": Outcome(fields["outcome"])}
    )


def _make_item(record: Record, tree: Aggregation) -> BaselineItem:
    return BaselineItem(
        id=record.id,
        task=record.task,
        cluster=record.cluster,
        category=record.category,
        path=_find_levels(tree, record),
        value=record.value,
        outcome=record.outcome,
        answer=_cut_text(record.answer),
        text=_cut_text(record.text),
    )


def _find_levels(tree: Aggregation, record: Record) -> tuple[str, ...]:
    try:
        return tree.levels(record.category)
    except (KeyError, ValueError, IndexError):
        raise UsageError(
            f"{record.id}: field 'category': {record.category!r:.80} is no category that the scorer"
            f" {record.scorer} of {record.task} knows"
        ) from None


def _cut_text(text: str | None) -> str | None:
    return text if text is None else text[:MAX_TEXT]


def _find_aggregation(task_name: str, tag: str) -> Aggregation:
    """Return the aggregation of a record's scorer; that of a temporal gain is its task's."""
    scorers = registry.get(task_of_column(task_name)).scorers
    rule = ScorerTag.parse(tag).rule
    if rule not in scorers:
        raise UsageError(
            f"the records of {task_name} were scored by {tag!r}, which is not installed;"
            f" installed are: {', '.join(scorers)}"
        )
    return scorers[rule].aggregation


def _arrow_schema() -> Any:
    import pyarrow as pa

    text = ("id", "task", "cluster", "category", "outcome", "answer", "text")
    types = {name: pa.string() for name in text}
    types |= {"path": pa.list_(pa.string()), "value": pa.float64()}
    return pa.schema([(name, types[name]) for name in BaselineItem.__dataclass_fields__])
