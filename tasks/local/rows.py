"""Reads the rows of a table of questions with the line at which each stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from harness.files import parse_json
from tasks.files import Row, read_rows, read_text

_LONGEST_CELL = 1 << 24
"""Characters of one cell; Python's default, 131,072, is less than some transcripts have."""


def read_table(path: Path) -> list[Row]:
    """Return the rows of a ``.jsonl``, ``.json``, ``.csv`` or ``.parquet`` file.

    The cells of ``.csv`` are texts; an empty one is a field that is not there.

    Raises:
        DatasetError: The file cannot be read, a row is malformed, or there is none.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        rows = list(_read_lines(path))
    elif suffix == ".csv":
        rows = list(_read_csv(path))
    else:
        return [Row(_without_nan(row.fields), row.where) for row in read_rows(path)]
    if not rows:
        raise DatasetError(f"{path}: has no rows, expected at least one question")
    return rows


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of all columns, in the order in which they appear."""
    return list(dict.fromkeys(name for row in rows for name in row.fields))


def _without_nan(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without what pandas writes into cells that are empty."""
    return {name: value for name, value in fields.items() if value == value}


def _read_lines(path: Path) -> Iterator[Row]:
    # Not splitlines(): it also splits at characters like U+2028, which JSON strings may contain.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            content = parse_json(line, where)
            if not isinstance(content, dict):
                raise DatasetError(f"{where}: expected an object, got {content!r:.80}")
            yield Row(content, where)


def _read_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    text = read_text(path)
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)  # spreadsheets of many countries write semicolons
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        repeated = {name for name in header if header.count(name) > 1}
        if not all(header) or repeated:
            raise DatasetError(
                f"{path}, line 1: expected a name for every column, each once, got"
                f" {', '.join(header)!r:.200}"
            )
        line = reader.line_num + 1
        for cells in reader:
            where, line = f"{path}, line {line}", reader.line_num + 1
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(header):
                raise DatasetError(
                    f"{where}: expected {len(header)} cells as in the first line, got {len(cells)};"
                    f" a cell with {mark!r} in it stands in quotes"
                )
            pairs = zip(header, cells, strict=True)
            yield Row({name: cell for name, cell in pairs if cell.strip()}, where)
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {reader.line_num}: not readable as CSV: {error}"
        ) from None
