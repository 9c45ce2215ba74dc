"""Reads run directories as entries of a board.

A finished run has its records as one Parquet table, of which six columns are read. A records file
that is newer than the table wins: the table is derived from the records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.entry import COLUMNS, Entry, Items, Setting, make_answers, schema
from harness.board.score_files import with_score_files
from harness.errors import DatasetError, UsageError
from harness.run.store import MANIFEST, SUMMARY, read_manifest, read_records
from harness.task import registry

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "records.parquet"


def read_entries(folders: Iterable[Path], *, scorers: bool = False) -> list[Entry]:
    """Read run directories.

    Args:
        folders: Run directories.
        scorers: Also read the score files that ``videor1 rescore`` wrote, as further tasks.

    Raises:
        UsageError: A folder is not a run directory, or is named twice.
        DatasetError: A file of a run cannot be read.
    """
    known: dict[Items, Items] = {}
    seen: set[Path] = set()
    entries = []
    for folder in folders:
        if folder.resolve() in seen:
            raise UsageError(f"{folder}: this run is named twice; name every run once")
        seen.add(folder.resolve())
        entry = _read_entry(folder, known)
        if scorers:
            entry = with_score_files(entry, partial(make_answers, known=known))
        entries.append(entry)
    return entries


def _read_entry(folder: Path, known: dict[Items, Items]) -> Entry:
    manifest = read_manifest(folder)
    try:
        settings = _settings_by_task(manifest)
        entry = partial(
            Entry,
            folder=folder,
            model=manifest["model"],
            protocol=manifest["protocol_hash"],
            created=manifest["created"],
            settings=settings,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{folder / MANIFEST}: not a manifest of this version ({error!r});"
            " evaluate the checkpoint again"
        ) from None
    table = _read_table(folder)
    return entry(
        answers={name: make_answers(table, name, known) for name in settings},
        summaries=_read_summaries(folder / SUMMARY),
    )


def _settings_by_task(manifest: Mapping[str, Any]) -> dict[str, Setting]:
    """Return each task's setting; it holds ``name:config`` because configs share their files."""
    return {
        task: {
            "selection": selection,
            "protocol": manifest["protocol"][task],
            "data": manifest["data"][task],
        }
        for selection in manifest["tasks"]
        for task in [registry.name_of(selection)]
    }


def _read_summaries(path: Path) -> dict[str, Any]:
    try:
        tasks: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: not a summary ({error!r}); delete it and run the same `videor1 eval` again"
        ) from None
    return tasks


def _read_table(folder: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not _is_current(folder):
        rows = [{name: getattr(r, name) for name in COLUMNS} for r in read_records(folder)]
        return pa.Table.from_pylist(rows, schema=schema())
    try:
        table = pq.read_table(folder / TABLE, columns=list(COLUMNS), use_threads=False)
        return table.cast(schema())
    except (ValueError, KeyError, OSError) as error:  # Arrow's errors are subclasses of these
        raise DatasetError(
            f"{folder / TABLE}: cannot be read ({error}); delete it, the records are in the same"
            " folder"
        ) from None


def _is_current(folder: Path) -> bool:
    """Return whether the table exists and no records file was written after it."""
    table = folder / TABLE
    written = [path.stat().st_mtime_ns for path in folder.glob("records-*.jsonl")]
    return table.is_file() and table.stat().st_mtime_ns >= max(written, default=0)
