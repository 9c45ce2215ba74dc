"""The score files that ``videor1 rescore`` leaves in a run, as tasks of their own on the board.

A task ``vsibench`` that was scored with ``lmms-eval`` later on is the task ``vsibench [lmms-eval]``
beside it: the same items, videos and categories with other values, compared with the same column
of other runs only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DatasetError
from harness.run.store import read_records

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.board.entry import (
        Answers,
        Entry,
    )

ReadAnswers = Callable[["pa.Table", str], "Answers"]


def with_score_files(entry: Entry, answers: ReadAnswers) -> Entry:
    """Return a run with one more task per task and score file."""
    settings, summaries = dict(entry.settings), dict(entry.summaries)
    read = dict(entry.answers)
    for file in sorted(entry.folder.glob("scores-*.jsonl")):
        protocols, results = _settled(file.with_suffix(".json"))
        table = _table(entry.folder, file)
        for task, setting in entry.settings.items():
            protocol = protocols[task]
            column = f"{task} [{protocol['scorer'].rpartition('@')[0]}]"
            settings[column] = {**setting, "protocol": protocol}
            summaries[column] = results[task]
            read[column] = answers(table, task)
    return replace(entry, settings=settings, summaries=summaries, answers=read)


def _settled(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return protocols and summaries by task."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content["protocol"], content["tasks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error!r}); rescore the run") from None


def _table(folder: Path, file: Path) -> pa.Table:
    """Put the values of a score file in place of the records' own."""
    import pyarrow as pa

    from harness.board.entry import (
        COLUMNS,
        schema,
    )

    scored = {row["id"]: row for row in _lines(file)}
    rows = [
        {name: getattr(record, name) for name in COLUMNS}
        | {name: scored[record.id][name] for name in ("value", "outcome")}
        for record in read_records(folder)
        if record.id in scored
    ]
    return pa.Table.from_pylist(rows, schema=schema())


def _lines(file: Path) -> Iterable[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    except ValueError as error:
        raise DatasetError(f"{file}: cannot be read ({error}); rescore the run") from None
