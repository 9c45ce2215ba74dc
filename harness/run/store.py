"""A run on disk: one manifest, append-only records, derived summaries.

``run.json`` is written once and says what the run is of; a second run of something else is
refused with the differing field named. ``records-0.jsonl`` grows by one line per finished item:
a kill at any byte loses items in flight only, because a torn last line is dropped. A lock keeps
a second writer out and disappears with its process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.errors import DatasetError, HarnessError, RunMismatchError, UsageError
from harness.files import _exclusive, diff, write_json
from harness.schema import Failure, Outcome, Record

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MANIFEST = "run.json"
SUMMARY = "summary.json"
RECORDS = "records-0.jsonl"
IDENTITY = ("schema", "protocol", "checkpoint", "data", "backend", "tasks", "limit")
"""Manifest fields in which a resumed run must equal the run it goes on with."""

_SYNC_EVERY_S = 1.0


class RunWriter:
    """The one writer of a run directory; use as a context manager.

    Raises:
        UsageError: The directory cannot be written, or another process writes it.
        RunMismatchError: It holds a run of something else.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self._lock = _exclusive(folder)
        try:
            _write_or_check(folder / MANIFEST, manifest)
            self.records = {record.id: record for record in read_records(folder)}
            self._file = _open_for_append(folder / RECORDS)
        except BaseException:
            os.close(self._lock)
            raise
        self._mutex = threading.Lock()
        self._synced_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def append(self, record: Record) -> None:
        """Write one finished item; safe from any thread. Failed items may be written again."""
        line = json.dumps(dataclasses.asdict(record), ensure_ascii=False) + "\n"
        with self._mutex:
            _write_all(self._file, line.encode())
            self.records[record.id] = record
            if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
                os.fsync(self._file)
                self._synced_at = time.monotonic()

    def finished(self) -> set[str]:
        """Return the ids that need no further work."""
        return finished_ids(self.records.values())


def finished_ids(records: Iterable[Record]) -> set[str]:
    """Return the ids of items that need no further work; failed items are asked again."""
    return {record.id for record in records if record.outcome is not Outcome.FAILED}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return ``run.json``; a folder without one is no run."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{folder}: not a run directory (no {MANIFEST})") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{folder / MANIFEST}: not valid JSON: {error}") from None
    return manifest


def read_records(folder: Path) -> list[Record]:
    """Return one record per item, the latest where an item was tried again.

    A last line without its line break is what a kill leaves behind and is dropped; any other
    broken line raises `DatasetError`.
    """
    latest: dict[str, Record] = {}
    for path in sorted(folder.glob("records-*.jsonl")):
        lines = path.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, start=1):
            record = _record(line, f"{path}, line {number}")
            latest[record.id] = record
    return list(latest.values())


def write_parquet(folder: Path, records: Mapping[str, Record]) -> None:
    """Write ``records.parquet``: one row per item, as `records_frame` returns them."""
    beside = folder / ".records.parquet"
    records_frame(list(records.values())).to_parquet(beside, index=False, schema=_arrow_schema())
    beside.replace(folder / "records.parquet")


def records_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return records as a table: one row per item, one column per field of `Record`.

    Frame indices, timestamps and frame sizes are lists per clip; `failure` is a dictionary or None.
    """
    import pandas as pd

    rows = [dataclasses.asdict(record) for record in records]
    names = [field.name for field in dataclasses.fields(Record)]
    return pd.DataFrame(rows, columns=pd.Index(names))


def _arrow_schema() -> pa.Schema:
    """Return the column types of ``records.parquet``; an empty column would not tell its own."""
    import pyarrow as pa

    text = dict.fromkeys(
        ("id", "task", "variant", "cluster", "category", "outcome", "answer", "gold", "scorer",
         "text", "finish_reason"), pa.string(),
    )  # fmt: skip
    nested = {
        "frame_indices": pa.list_(pa.list_(pa.int64())),
        "timestamps": pa.list_(pa.list_(pa.float64())),
        "frame_size": pa.list_(pa.list_(pa.int64())),
        "failure": pa.struct([(field.name, pa.string()) for field in dataclasses.fields(Failure)]),
    }
    numbers = {"prompt_tokens": pa.int64(), "output_tokens": pa.int64()}
    known = text | nested | numbers
    return pa.schema(
        [(field.name, known.get(field.name, pa.float64())) for field in dataclasses.fields(Record)]
    )


def _record(line: bytes, where: str) -> Record:
    try:
        fields = json.loads(line)
        fields["outcome"] = Outcome(fields["outcome"])
        if fields["failure"] is not None:
            fields["failure"] = Failure(**fields["failure"])
        for name in ("frame_indices", "timestamps", "frame_size"):
            fields[name] = tuple(tuple(inner) for inner in fields[name])
        return Record(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{where}: not a record ({error}); the file was changed or damaged after it was written"
        ) from None


def _write_or_check(path: Path, manifest: Mapping[str, Any]) -> None:
    if not path.exists():
        write_json(path, manifest)
        return
    stored = read_manifest(path.parent)
    wanted = json.loads(json.dumps(dict(manifest)))
    lines = diff(
        {name: stored.get(name) for name in IDENTITY}, {name: wanted.get(name) for name in IDENTITY}
    )
    if lines:
        raise RunMismatchError(
            f"{path.parent} holds a run of something else (stored != asked): {'; '.join(lines)}."
            " Use another --out to keep both"
        )


def _open_for_append(path: Path) -> int:
    """Open the records file after cutting off a torn last line."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.ftruncate(handle, whole)
    return handle


def _write_all(handle: int, line: bytes) -> None:
    try:
        written = os.write(handle, line)
    except OSError as error:
        raise HarnessError(
            f"records cannot be written: {error.strerror}; finished items are kept"
        ) from error
    if written != len(line):
        raise HarnessError("records cannot be written: the disk is full; finished items are kept")
