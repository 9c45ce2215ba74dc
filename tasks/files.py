"""Read publishers' question files: rows with their position, typed fields, checked paths.

Every error names the file, the row and the field, so that a malformed row can be found and fixed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, UsageError
from harness.files import parse_json, read_file
from harness.scoring.answers import MAX_OPTIONS, letter_of, letters

_LONGEST_S = 1e9
"""Above any video, 30 years."""

_LONGEST_NAME, _LONGEST_PATH = 255, 4095
"""Bytes of one name and of a whole path; Linux's limits, which others have as well or nearly."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a question file."""

    fields: Mapping[str, Any]
    where: str
    """File and row number, for error messages: ``path, row N``."""

    def text(self, name: str) -> str:
        """Return a required string; a number is an error."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise self.bad(name, "a string")
        return value

    def scalar(self, name: str) -> str:
        """Return a required string or number as text: for numeric ids and gold answers."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.bad(name, "a string or a number")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; a missing or null field is an empty one."""
        value = self.fields.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(name, "a list of strings")
        return tuple(value)

    def options(self, name: str) -> tuple[str, ...]:
        """Return the texts of options: as `texts`, and not more than there are letters."""
        options = self.texts(name)
        if len(options) > MAX_OPTIONS:
            raise DatasetError(
                f"{self.where}: field {name!r}: expected at most {MAX_OPTIONS} options, one per"
                f" letter, got {len(options)}"
            )
        return options

    def lettered_options(self, name: str, most: int = MAX_OPTIONS) -> tuple[str, ...]:
        """Return the texts of options that are an object from A, B, C, ... to text."""
        options = self.fields.get(name)
        if (
            not isinstance(options, dict)
            or not 1 < len(options) <= most
            or not all(isinstance(text, str) for text in options.values())
            or tuple(options) != letters(len(options))
        ):
            raise self.bad(
                name, f"an object with a text for each of A, B, C, ... up to {letter_of(most - 1)}"
            )
        return tuple(options.values())

    def letter(self, name: str, count: int) -> str:
        """Return a required letter, that of one of `count` options."""
        value = self.scalar(name)
        if value not in letters(count):
            raise self.bad(name, f"the letter of one of {count} options")
        return value

    def seconds(self, name: str) -> float | None:
        """Return a number of seconds >= 0; None if the field is missing or null."""
        value = self.fields.get(name)
        if value is None:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not 0 <= value < _LONGEST_S:
            raise self.bad(name, "a number of seconds >= 0")
        return float(value)

    def bad(self, name: str, expected: str) -> DatasetError:
        """Return the error for a field that has an unexpected value."""
        got = self.fields.get(name, "nothing")
        return DatasetError(f"{self.where}: field {name!r}: expected {expected}, got {got!r:.80}")


def read_text(path: Path) -> str:
    """Read a UTF-8 text; raise `DatasetError` with the file if it is none."""
    try:
        return _read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: expected a text in UTF-8: {error!s:.200}") from None


def read_json(path: Path) -> Any:
    """Parse a JSON file; raise `DatasetError` with file and line if it is malformed."""
    return parse_json(_read_file(path), str(path))


def json_rows(path: Path, items: Any) -> Iterator[Row]:
    """Yield the items of a parsed list of objects as rows of `path`."""
    if not isinstance(items, list):
        raise DatasetError(f"{path}: expected a list of objects, got {type(items).__name__}")
    for position, fields in enumerate(items):
        if not isinstance(fields, dict):
            raise DatasetError(f"{path}, row {position}: expected an object, got {fields!r:.80}")
        yield Row(fields, f"{path}, row {position}")


def read_rows(path: Path) -> list[Row]:
    """Read every row of a ``.json`` (a list of objects), ``.jsonl`` or ``.parquet`` file.

    Raises:
        DatasetError: The file cannot be read, a row is not an object, or there is none.
    """
    match path.suffix:
        case ".json":
            content = read_json(path)
        case ".jsonl":
            content = [*_parse_lines(path)]
        case ".parquet":
            content = _read_parquet(path)
        case other:
            raise DatasetError(f"{path}: expected .json, .jsonl or .parquet, got {other!r}")
    rows = list(json_rows(path, content))
    if not rows:
        raise DatasetError(
            f"{path}: has no rows, expected at least one question; was it copied as a whole?"
        )
    return rows


def first_existing(folder: Path, *patterns: str) -> list[Path]:
    """Return the sorted files of the first pattern with a match; `DatasetError` if none has."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found
    raise DatasetError(
        f"{folder}: no question file; looked for {', '.join(patterns)}."
        " `videor1 data fetch` downloads a benchmark; --data names the folder above the benchmarks'"
    )


def first_file(*paths: Path) -> Path:
    """Return the first path that is a file; the first one where none is, for the message."""
    return next((path for path in paths if path.is_file()), paths[0])


def inside(root: Path, relative: str, where: str) -> Path:
    """Join a path from a question file to the data root; raise `DatasetError` if it leads outside.

    Links are not resolved: files of a hub snapshot are links into a cache outside the root.
    """
    within = check_name(relative, where)
    if within.is_absolute() or within.parts[:1] == (os.pardir,):
        raise DatasetError(f"{where}: media path {relative!r} leaves the data root {root}")
    return root / within


def check_name(path: str, where: str) -> Path:
    """Return a normalised path that a file can have; raise `DatasetError` for another."""
    problem = None
    within = Path(os.path.normpath(path))
    try:
        longest = max(map(len, map(os.fsencode, within.parts)), default=0)
    except UnicodeEncodeError:
        problem = "holds half of a UTF-16 pair"
    else:
        if not longest:
            problem = "names a folder, expected a file"
        elif longest > _LONGEST_NAME or len(os.fsencode(path)) > _LONGEST_PATH:
            problem = f"is longer than a file name can be ({_LONGEST_NAME} bytes)"
        elif "\0" in path:
            problem = "holds a NUL character"
    if problem is not None:
        raise DatasetError(f"{where}: media path {path!r:.80} {problem}")
    return within


def _read_file(path: Path) -> bytes:
    try:
        return read_file(path)
    except UsageError as error:
        raise DatasetError(str(error)) from None


def _parse_lines(path: Path) -> Iterator[Any]:
    # Not splitlines(): it also splits at characters like U+2028, which JSON strings may contain.
    for number, line in enumerate(_read_file(path).split(b"\n"), start=1):
        if line.strip():
            yield parse_json(line, f"{path}, line {number}")


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(pyarrow.BufferReader(_read_file(path))) as file:
            rows: list[dict[str, Any]] = file.read().to_pylist()
    except (OSError, pyarrow.ArrowException, ValueError) as error:
        raise DatasetError(f"{path}: not a readable Parquet file: {error!s:.200}") from None
    return rows
