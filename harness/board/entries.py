"""Reads run directories as entries of a board.

A finished run has its records as one Parquet table, of which six columns are read. A records file
that was changed after the table wins: the table is derived from the records.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.entry import COLUMNS, REPEAT, Entry, Items, Setting, make_answers, schema
from harness.board.records_table import find_problem
from harness.board.score_files import with_score_files
from harness.errors import DatasetError, UsageError
from harness.files import open_file
from harness.run.manifest_facts import partial_tasks
from harness.run.manifest_shape import require_setting
from harness.run.numeric import numeric_of
from harness.run.store import (
    MANIFEST,
    SUMMARY,
    TABLE,
    is_table_current,
    read_manifest,
    read_records,
)
from harness.run.summary_shape import read_summary
from harness.task import registry
from harness.task.local_results import LOCAL_TASKS

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


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
    seen: set[str] = set()
    entries = []
    for folder in folders:
        place = os.path.realpath(folder)
        if place in seen:
            raise UsageError(f"{folder}: this run is named twice; name every run once")
        seen.add(place)
        entry = _read_entry(folder, known)
        if scorers:
            entry = with_score_files(entry, partial(make_answers, known=known))
        entries.append(entry)
    return entries


def _read_entry(folder: Path, known: dict[Items, Items]) -> Entry:
    manifest = read_manifest(folder)
    require_setting(manifest, str(folder / MANIFEST))
    settings = _settings_by_task(manifest)
    table = _read_table(folder)
    return Entry(
        folder=folder,
        model=manifest["model"],
        protocol=manifest["protocol_hash"],
        created=manifest["created"],
        settings=settings,
        answers={name: make_answers(table, name, known) for name in settings},
        summaries=_read_summaries(folder / SUMMARY),
        partial=partial_tasks(manifest),
        numeric=numeric_of(manifest),
        checkpoint=manifest["checkpoint"],
        backend=str(manifest.get("backend") or ""),
        local=manifest.get(LOCAL_TASKS) or {},
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
    if not path.exists():
        return {}
    tasks: dict[str, Any] = read_summary(path)["tasks"]
    return tasks


def _read_table(folder: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not is_table_current(folder):
        rows = [{name: getattr(r, name) for name in COLUMNS} for r in read_records(folder)]
        return pa.Table.from_pylist(rows, schema=schema())
    path = folder / TABLE
    try:
        with open_file(path) as file:
            table = _read_columns(pq.ParquetFile(file))
        problem = find_problem(table)
    except (ValueError, KeyError, OSError) as error:  # Arrow's errors are subclasses of these
        problem = f"cannot be read ({error!s:.200})"
    if problem is not None:
        raise DatasetError(f"{path}: {problem}; delete it, the records are in the same folder")
    return table.cast(schema())


def _read_columns(file: pq.ParquetFile) -> pa.Table:
    """Read the columns of a board; a table of schema 1 has repeat 0 only."""
    import pyarrow as pa

    stored = [name for name in COLUMNS if name != REPEAT or name in file.schema_arrow.names]
    table = file.read(columns=stored, use_threads=False).select(stored)
    if REPEAT not in stored:
        table = table.append_column(REPEAT, pa.array([0] * table.num_rows, pa.int64()))
    return table.select(COLUMNS)
