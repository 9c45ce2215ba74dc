"""Adds the score files of ``videor1 rescore`` to a run, as further tasks of the board.

A task ``vsibench`` that was scored again with ``lmms-eval`` becomes the task
``vsibench [lmms-eval]``: the same items, videos and categories with other values, compared with the
same column of other runs only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.entry import COLUMNS, Answers, Entry, schema
from harness.errors import DatasetError
from harness.files import read_json_lines
from harness.run.store import read_records
from harness.scoring.tags import ScorerTag, column_name

if TYPE_CHECKING:
    import pyarrow as pa

ReadAnswers = Callable[["pa.Table", str], Answers]
"""Takes the rows of one task out of a records table."""


def with_score_files(entry: Entry, read_answers: ReadAnswers) -> Entry:
    """Return a run with one more task per task and score file."""
    settings, summaries = dict(entry.settings), dict(entry.summaries)
    answers = dict(entry.answers)
    for file in sorted(entry.folder.glob("scores-*.jsonl")):
        protocols, results = _read_summary(file.with_suffix(".json"))
        table = _read_table(entry.folder, file)
        for task, setting in entry.settings.items():
            protocol = protocols[task]
            column = column_name(task, ScorerTag.parse(protocol["scorer"]).name)
            settings[column] = {**setting, "protocol": protocol}
            summaries[column] = results[task]
            answers[column] = read_answers(table, task)
    return replace(entry, settings=settings, summaries=summaries, answers=answers)


def _read_summary(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return protocols and summaries by task."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content["protocol"], content["tasks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: cannot be read ({error!r}); run `videor1 rescore {path.parent}` again"
        ) from None


def _read_table(folder: Path, file: Path) -> pa.Table:
    """Return the records of a run with the values of a score file in place of their own."""
    import pyarrow as pa

    scored = {row["id"]: row for _, row in read_json_lines(file)}
    rows = [
        {name: getattr(record, name) for name in COLUMNS}
        | {name: scored[record.id][name] for name in ("value", "outcome")}
        for record in read_records(folder)
        if record.id in scored
    ]
    return pa.Table.from_pylist(rows, schema=schema())
