"""Reads the records of a run one after another, with the place of each in its file.

A run of long thoughts may have gigabytes of text. Who shows all of it keeps the places and reads
one record at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from harness.errors import DatasetError
from harness.files import open_file, read_lines
from harness.run.record_shape import record_reader
from harness.schema import ItemKey, Outcome, Record


@dataclass(frozen=True, slots=True)
class RecordLine:
    """Where the line of a record lies."""

    path: Path
    number: int
    """Number of the line, from 1."""
    start: int
    """Bytes of the file before the line."""
    size: int
    """Bytes of the line."""


def walk_records(folder: Path) -> Iterator[tuple[RecordLine, Record]]:
    """Yield every record of a run in the order of its files; a later one of an item replaces it.

    Only failed items have several records. A torn last line, which a kill leaves, is left out.

    Raises:
        DatasetError: A line is not a record, a value is not within 0 to 1, or a finished repeat has
            a second record; names file, line, field, expected and found.
    """
    finished: dict[ItemKey, bool] = {}
    for path in sorted(folder.glob("records-*.jsonl")):
        read_record, start = record_reader(), 0
        for number, line in read_lines(path):
            place = RecordLine(path, number, start, len(line))
            start += len(line)
            record = read_record(line, f"{path}, line {number}")
            is_finished = record.outcome is not Outcome.FAILED
            if finished.get(record.key) and is_finished:
                repeat = f" (repeat {record.repeat})" if record.repeat else ""
                raise DatasetError(
                    f"{path}, line {number}: field 'id': {record.id!r}{repeat} has a record"
                    " already; expected one per answered item. Delete one of the lines"
                )
            finished[record.key] = is_finished
            yield place, record


class RecordFiles:
    """Reads single records by their places; a context manager that closes the files."""

    def __init__(self) -> None:
        self._read = record_reader()
        self._files: dict[Path, BinaryIO] = {}

    def read(self, line: RecordLine) -> Record:
        """Return the record at a place; raises `DatasetError` where another one lies there now."""
        file = self._files.get(line.path)
        if file is None:
            file = self._files[line.path] = open_file(line.path)
        file.seek(line.start)
        return self._read(file.read(line.size), f"{line.path}, line {line.number}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
