"""A run on disk: one manifest, append-only records, derived summaries.

``run.json`` is written once and says what the run is of; a second run of something else is
refused with the differing field named. ``records-0.jsonl`` grows by one line per finished item:
a kill at any byte loses items in flight only, because a torn last line is dropped. A lock keeps
a second writer out and disappears with its process.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, get_args, get_origin, get_type_hints

from harness.errors import UsageError
from harness.files import (
    FolderClaim,
    JsonLinesWriter,
    lock_folder,
    read_json,
    write_atomically,
)
from harness.run.manifest_shape import check_manifest
from harness.run.numeric import NUMERIC, numeric_of
from harness.run.record_lines import walk_records
from harness.schema import ItemKey, Outcome, Record
from harness.task.protocol import complete_all

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MANIFEST = "run.json"
SUMMARY = "summary.json"
RECORDS = "records-0.jsonl"
TABLE = "records.parquet"
IDENTITY = ("protocol", "checkpoint", "data", "backend", "tasks", "limit")
"""Manifest fields in which a resumed run must equal the run it goes on with, beside `NUMERIC`."""

RECORD_SIZES = "videor1.record_sizes"
"""Key in the metadata of ``records.parquet``."""

_SYNC_EVERY_S = 1.0

_SEVERAL = "several"
"""What runs of before have in place of the list of their servers."""


def identity(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a manifest in which a resumed run must equal the run it goes on with.

    A run of schema 1 can be gone on with: what schema 2 added to protocols is at its default, and
    the settings of its engine are on its command line.
    """
    complete = complete_all(manifest)
    return {
        **{name: complete.get(name) for name in IDENTITY},
        "checkpoint": _comparable(complete.get("checkpoint") or {}),
        NUMERIC: numeric_of(manifest),
    }


def _comparable(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a checkpoint in which several servers are as good as any others of the same model.

    A run of several servers may go on with others, for instance after one has died.
    """
    if isinstance(checkpoint.get("server"), list):
        return {**checkpoint, "server": _SEVERAL}
    return checkpoint


def _read_checked(path: Path) -> dict[str, Any]:
    content = read_json(path)
    check_manifest(content, str(path))
    return content


CLAIM = FolderClaim(
    manifest=MANIFEST,
    kind="run",
    compared=identity,
    read=_read_checked,
    explained={"data": "data: other questions, or the content of their files has changed"},
)


class RunWriter:
    """The one writer of a run directory; use as a context manager.

    Raises:
        UsageError: The directory cannot be written, or another process writes it.
        RunMismatchError: It holds a run of something else.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self._lock = lock_folder(folder)
        try:
            CLAIM.take(folder, manifest)
            self.records = {record.key: record for record in read_records(folder)}
            self._file = JsonLinesWriter(folder / RECORDS, sync_every_s=_SYNC_EVERY_S)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        finally:
            self._lock.release()

    def append(self, record: Record) -> None:
        """Write one finished item; safe from any thread. Failed items may be written again.

        Raises:
            HarnessError: It cannot be written; the items before it are kept.
        """
        self._file.append(dataclasses.asdict(record))
        self.records[record.key] = record

    def finished(self) -> set[ItemKey]:
        """Return the items and repeats that need no further work."""
        return finished_keys(self.records.values())


def finished_keys(records: Iterable[Record]) -> set[ItemKey]:
    """Return the items and repeats that need no further work; failed ones are asked again."""
    return {record.key for record in records if record.outcome is not Outcome.FAILED}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return ``run.json``, checked, with all fields of its protocols.

    Raises:
        UsageError: The folder is not a run directory.
        DatasetError: The file is not a manifest; names field, expected and found.
    """
    path = folder / MANIFEST
    if not is_run(folder):
        what = f"no {MANIFEST}" if folder.is_dir() else "it is no folder"
        raise UsageError(
            f"{folder}: not a run directory ({what}); expected a folder that `videor1 eval` wrote"
        )
    content = read_json(path)
    check_manifest(content, str(path))
    return complete_all(content)


def is_run(folder: Path) -> bool:
    """Return whether a path is a folder with a manifest; raises `UsageError` for no path at all."""
    try:
        return (folder / MANIFEST).exists()
    except (OSError, ValueError) as error:  # a name that is too long, a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{folder}: cannot be read: {reason}; expected a folder that `videor1 eval` wrote"
        ) from None


def read_records(folder: Path) -> list[Record]:
    """Return one record per item and repeat, the latest where a failed one was tried again.

    Raises:
        DatasetError: As `harness.run.record_lines.walk_records`. A torn last line, which a kill
            leaves, is left out.
    """
    return list({record.key: record for _, record in walk_records(folder)}.values())


def write_parquet(folder: Path, records: Iterable[Record]) -> None:
    """Write ``records.parquet``: one row per item and repeat, as `records_frame` returns them.

    The table's metadata hold `record_sizes`, by which a reader sees that the records have changed.
    """
    sizes = {RECORD_SIZES: json.dumps(record_sizes(folder))}
    table, schema = records_frame(list(records)), _arrow_schema().with_metadata(sizes)
    write_atomically(
        folder / TABLE, lambda path: table.to_parquet(path, index=False, schema=schema)
    )


def record_sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of every records file of a run."""
    return {path.name: path.stat().st_size for path in sorted(folder.glob("records-*.jsonl"))}


def is_table_current(folder: Path) -> bool:
    """Return whether ``records.parquet`` is there and was made of the records that are there."""
    table, sizes = folder / TABLE, record_sizes(folder)
    if not table.is_file():
        return False
    written = [(folder / name).stat().st_mtime_ns for name in sizes]
    if table.stat().st_mtime_ns < max(written, default=0):
        return False
    return not sizes or _stored_sizes(table) in (sizes, None)


def _stored_sizes(table: Path) -> dict[str, int] | None:
    """Return the sizes of the records files that a table was made of; None if it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(table).metadata or {}
        sizes: dict[str, int] = json.loads(metadata.get(RECORD_SIZES.encode(), b"{}"))
    except (OSError, pa.ArrowException, ValueError):
        return None
    return sizes


def _to_valid_text(value: Any) -> Any:
    """Replace what UTF-8 cannot hold (half of a UTF-16 pair) in a cell or row of the table."""
    if isinstance(value, str):
        return (
            value
            if value.isascii()
            else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if isinstance(value, dict):
        return {name: _to_valid_text(inner) for name, inner in value.items()}
    return value


def records_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return records as a table: one row per item and repeat, one column per field of `Record`.

    Frame indices, timestamps and frame sizes are lists per clip; `failure` is a dictionary or None.
    """
    import pandas as pd

    rows = [_to_valid_text(dataclasses.asdict(record)) for record in records]
    names = [field.name for field in fields(Record)]
    return pd.DataFrame(rows, columns=pd.Index(names))


def _arrow_schema() -> pa.Schema:
    """Return the column types of ``records.parquet``; an empty column would not tell its own."""
    import pyarrow as pa

    hints = get_type_hints(Record)
    return pa.schema([(one.name, _arrow_type(hints[one.name])) for one in fields(Record)])


def _arrow_type(hint: Any) -> pa.DataType:
    """Return the type of a column for the type of a field: a text, a number, tuples, a record."""
    import pyarrow as pa

    parts = [part for part in get_args(hint) if part not in (type(None), ...)]
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(parts[0]))
    if parts:  # one type or None
        return _arrow_type(parts[0])
    if dataclasses.is_dataclass(hint):
        inner = get_type_hints(hint)
        return pa.struct([(one.name, _arrow_type(inner[one.name])) for one in fields(hint)])
    for kind, column in ((str, pa.string()), (int, pa.int64()), (float, pa.float64())):
        if issubclass(hint, kind):
            return column
    raise TypeError(f"no column type for {hint!r}")
