"""Reads one line of ``records-0.jsonl``: types and ranges of every field of a record."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import DatasetError
from harness.files import reader_of
from harness.schema import Outcome, Record

_NOT_BELOW_0 = ("repeat", "prompt_tokens", "output_tokens", "decode_s", "generate_s")


def record_reader() -> Callable[[bytes, str], Record]:
    """Return a function that reads a record from its line; the second argument names the place.

    The function raises `DatasetError` with place, field, expected and found.
    """
    read = reader_of(Record)

    def read_record(line: bytes, where: str) -> Record:
        record = read(line, where)
        problem = find_problem(record)
        if problem is not None:
            raise DatasetError(f"{where}: {problem}")
        return record

    return read_record


def find_problem(record: Record) -> str | None:
    """Return which field of a record is out of its range, None for a sound record."""
    value = record.value
    if value is not None and not 0 <= value <= 1:
        return f"field 'value': expected 0 to 1, got {value}"
    if value is not None and record.outcome is Outcome.FAILED:
        return f"field 'value': expected null for a failed item, got {value}"
    for name in _NOT_BELOW_0:
        if getattr(record, name) < 0:
            return f"field {name!r}: expected at least 0, got {getattr(record, name)}"
    for name in ("id", "task", "cluster", "scorer"):
        if not getattr(record, name):
            return f"field {name!r}: expected a text, got an empty one"
    return None
