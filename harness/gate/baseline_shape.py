"""Reads the columns and the metadata of a baseline file and checks types, ranges and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DatasetError, UsageError
from harness.files import Fields, parse_json, read_file
from harness.probe.gains import is_gain
from harness.run.manifest_shape import check_tasks
from harness.schema import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

_OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.FAILED)
"""A baseline is made of a complete run."""
_REQUIRED = ("id", "task", "cluster", "category", "path", "outcome")

Columns = Mapping[str, list[Any]]


def read_columns(path: Path, schema: pa.Schema, key: bytes) -> tuple[Columns, Any]:
    """Read a baseline file; return its columns and the JSON object in its metadata, not checked.

    Args:
        path: The file.
        schema: The columns that it must have.
        key: Where the JSON is in the file's metadata.

    Raises:
        UsageError: It is missing, no Parquet file, or one without this metadata.
        DatasetError: A column is missing or of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pa.BufferReader(read_file(path))
        table = pq.read_table(source, page_checksum_verification=True)
        text = (table.schema.metadata or {}).get(key)
    except UsageError as error:  # it cannot be read
        raise _not_a_baseline(path, str(error).removeprefix(f"{path}: ")) from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _not_a_baseline(path, f"{error!s:.200}") from None
    if text is None:
        raise _not_a_baseline(path, "no metadata of this program")
    for field in schema:
        if field.name not in table.column_names:
            raise DatasetError(f"{path}: column {field.name!r} is missing; freeze the run again")
        found = table.schema.field(field.name).type
        if found != field.type:
            raise DatasetError(
                f"{path}: column {field.name!r}: expected {field.type}, got {found!s:.80}"
            )
    metadata = parse_json(text, f"{path}, metadata")
    if not isinstance(metadata, dict):
        raise DatasetError(
            f"{path}, metadata: holds a {type(metadata).__name__}, expected a JSON object"
        )
    return table.select(schema.names).to_pydict(), metadata


def check_metadata(metadata: Fields) -> None:
    """Raise where protocol, data, checkpoint or aggregations are malformed."""
    check_tasks(metadata)
    metadata.table("checkpoint")
    metadata.table("numeric", optional=True)
    aggregation = metadata.table("aggregation")
    assert aggregation is not None
    for task in aggregation.content:
        aggregation.text(task)
    if "policy" not in metadata.content:
        raise metadata.bad("policy", "the locked policy, or null")
    metadata.table("policy", optional=True)


def check_columns(columns: Columns, metadata: Fields, path: Path) -> None:
    """Raise where a row is out of range, an id is there twice, or a task has other counts.

    Raises:
        DatasetError: Names file, row, field, expected and found.
    """
    for name in _REQUIRED:
        _require(columns[name], lambda value: value is not None, path, name, "a value")
    for name in ("id", "task"):
        _require(columns[name], bool, path, name, "a text that is not empty")
    _require_values(columns, path)
    _require(columns["outcome"], _OUTCOMES.__contains__, path, "outcome", ", ".join(_OUTCOMES))
    _require(columns["path"], lambda levels: None not in levels, path, "path", "a list of texts")
    ids = columns["id"]
    [(repeated, count)] = Counter(ids).most_common(1)
    if count > 1:
        raise DatasetError(
            f"{path}: field 'id': {repeated!r} is there {count} times; expected every item once"
        )
    _check_paths(columns, path)
    _check_counts(columns["task"], metadata, path)


def _check_paths(columns: Columns, path: Path) -> None:
    """Raise where a group of a task's tree of means is an item as well: weights would exceed 1."""
    rows = zip(columns["task"], columns["path"], strict=True)
    places = {(task, *levels) for task, levels in rows}
    for place in places:
        for depth in range(1, len(place)):
            if place[:depth] in places:
                raise DatasetError(
                    f"{path}: field 'path': {'/'.join(place)!r:.80} lies below"
                    f" {'/'.join(place[:depth])!r:.80}, which has items itself"
                )


def _check_counts(tasks: Sequence[str], metadata: Fields, path: Path) -> None:
    data, aggregation = metadata.content["data"], metadata.content["aggregation"]
    counts = Counter(tasks)
    for task in {*counts, *data}:
        if task not in data or (task in counts and task not in aggregation):
            raise DatasetError(
                f"{path}: the metadata do not have the task {task!r:.80} of its rows"
            )
        if counts[task] != data[task]["items"]:
            raise DatasetError(
                f"{path}: expected {data[task]['items']} rows of {task}, got {counts[task]};"
                " freeze the run again with `videor1 baseline`"
            )


def _require_values(columns: Columns, path: Path) -> None:
    for row, (task, value) in enumerate(zip(columns["task"], columns["value"], strict=True)):
        low = -1 if is_gain(task) else 0
        if value is not None and not low <= value <= 1:
            raise DatasetError(
                f"{path}, row {row}: field 'value': expected {low} to 1 or null, got {value!r:.80}"
            )


def _require(values: Sequence[Any], sound: Any, path: Path, name: str, expected: str) -> None:
    """Raise for the first value that is not sound."""
    for row, value in enumerate(values):
        if not sound(value):
            raise DatasetError(
                f"{path}, row {row}: field {name!r}: expected {expected}, got {value!r:.80}"
            )


def _not_a_baseline(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path}: not a baseline file and not a run directory ({reason});"
        " `videor1 baseline RUNDIR -o FILE.parquet` writes a baseline"
    )
