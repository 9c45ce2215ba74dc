"""Adds the score files of ``videor1 rescore`` to a run, as further tasks of the board.

A task ``vsibench`` that was scored again with ``lmms-eval`` becomes the task
``vsibench [lmms-eval]``: the same items, videos and categories with other values, compared with the
same column of other runs only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.entry import COLUMNS, Answers, Entry, schema
from harness.errors import DatasetError
from harness.files import Fields, read_lines, reader_of
from harness.run.manifest_shape import check_protocol
from harness.run.store import read_records
from harness.run.summary_shape import read_summary
from harness.schema import Failure, ItemKey, Outcome
from harness.scoring.tags import ScorerTag, column_name
from harness.task.protocol import complete_all

if TYPE_CHECKING:
    import pyarrow as pa

ReadAnswers = Callable[["pa.Table", str], Answers]
"""Takes the rows of one task out of a records table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """One line of a score file."""

    id: str
    repeat: int = 0
    task: str
    outcome: Outcome
    value: float | None
    answer: str | None
    scorer: str
    failure: Failure | None
    rule: str | None = None


def with_score_files(entry: Entry, read_answers: ReadAnswers) -> Entry:
    """Return a run with one more task per task and score file.

    Raises:
        DatasetError: A score file is malformed, or does not fit the run.
    """
    settings, summaries = dict(entry.settings), dict(entry.summaries)
    answers = dict(entry.answers)
    for file in sorted(entry.folder.glob("scores-*.jsonl")):
        summary = file.with_suffix(".json")
        protocols, results = _read_summary(summary, entry.settings)
        table = _read_table(entry.folder, file)
        for task, setting in entry.settings.items():
            protocol = protocols[task]
            column = column_name(task, ScorerTag.parse(protocol["scorer"]).name)
            settings[column] = {**setting, "protocol": protocol}
            summaries[column] = results[task]
            answers[column] = read_answers(table, task)
    return replace(entry, settings=settings, summaries=summaries, answers=answers)


def _read_summary(
    path: Path, tasks: Collection[str]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return protocols and summaries by task."""
    content = read_summary(path)
    fields = Fields(content, str(path))
    protocols = dict(fields.tables("protocol"))
    for task in tasks:
        if task not in protocols or task not in content["tasks"]:
            raise DatasetError(
                f"{path}: has no scores of {task}; run `videor1 rescore {path.parent}` again"
            )
        check_protocol(protocols[task])
        protocols[task].text("scorer")
        protocols[task].text("hash")
    return complete_all(content)["protocol"], content["tasks"]


def read_score_lines(path: Path) -> dict[ItemKey, ScoreLine]:
    """Read a ``scores-NAME.jsonl``; returns its lines by item and repeat.

    Raises:
        DatasetError: A line is malformed, a value is not within 0 to 1, or an id is there twice;
            names file, line, field, expected and found.
    """
    read_line = reader_of(ScoreLine)
    lines: dict[ItemKey, ScoreLine] = {}
    for number, text in read_lines(path):
        where = f"{path}, line {number}"
        line = read_line(text, where)
        if line.value is not None and not 0 <= line.value <= 1:
            raise DatasetError(f"{where}: field 'value': expected 0 to 1, got {line.value}")
        key = (line.id, line.repeat)
        if key in lines:
            raise DatasetError(f"{where}: field 'id': {line.id!r:.80} is there twice")
        lines[key] = line
    return lines


def _read_table(folder: Path, file: Path) -> pa.Table:
    """Return the records of a run with the values of a score file in place of their own."""
    import pyarrow as pa

    scored = read_score_lines(file)
    records = [record for record in read_records(folder) if record.key in scored]
    unknown = set(scored) - {record.key for record in records}
    if unknown:
        raise DatasetError(
            f"{file}: field 'id': the run has no record of {min(unknown)[0]!r:.80};"
            f" run `videor1 rescore {folder}` again"
        )
    rows = [
        {name: getattr(record, name) for name in COLUMNS}
        | {name: getattr(scored[record.key], name) for name in ("value", "outcome")}
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=schema())
