"""Opens files that people name, and parses JSON of unknown origin.

Only regular files are opened: a pipe would wait for a writer and a device may never end. JSON is
refused where later code would fail on it: too deep, numbers that no float holds, NaN.
"""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from harness.errors import DatasetError, UsageError
from harness.text.stored import storable_json

MAX_DEPTH = 64
"""Levels of lists and objects that a JSON text may have; our own files have at most six."""
_LARGEST = 10**308
"""Larger whole numbers do not fit a float."""
_HALF = re.compile("\\\\u[dD]|[\ud800-\udfff]")
_HALF_IN_BYTES = re.compile(rb"\\u[dD]|\xed")
"""Half of a UTF-16 pair: JSON spells it as an escape, some writers as the bytes of its number."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, or a link to one, for reading bytes.

    Raises:
        UsageError: It is missing, unreadable, or a folder, pipe or device.
    """
    try:
        kind = kind_of_special(path)
        if kind is not None:
            raise UsageError(f"{path}: is {kind}, expected a file")
        return path.open("rb")
    except OSError as error:
        raise read_error(path, error) from None


def kind_of_special(path: Path) -> str | None:
    """Return what a path is instead of a file (``a pipe``); None for a file.

    Raises:
        OSError: It cannot be looked at.
    """
    mode = path.stat().st_mode
    return next((name for matches, name in _KINDS if matches(mode)), None)


def read_file(path: Path) -> bytes:
    """Return the content of a regular file; raises as `open_file` does."""
    try:
        with open_file(path) as file:
            return file.read()
    except OSError as error:
        raise read_error(path, error) from None


def read_error(path: Path, error: OSError) -> UsageError:
    """Build the error for a file that cannot be read; it names the path and the reason."""
    return UsageError(f"{path}: cannot be read: {error.strerror or error}")


def parse_json(text: bytes | str, where: str, *, finite: bool = True) -> Any:
    """Parse a JSON text; the texts in it are storable (`harness.text.stored`).

    Args:
        text: UTF-8 or a string.
        where: File, and line where there is one, for the message.
        finite: Refuse NaN and infinity, which JSON does not have.

    Raises:
        DatasetError: Not JSON, more than `MAX_DEPTH` levels, or a number that no float holds.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig", "surrogatepass")
        content = json.loads(decoded, parse_constant=_refuse_constant if finite else None)
    except RecursionError:
        raise DatasetError(
            f"{where}: not valid JSON: too many levels of lists and objects,"
            f" expected at most {MAX_DEPTH}"
        ) from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: not valid JSON: not UTF-8 text: {error}") from None
    except ValueError as error:
        reason = "a whole number of thousands of digits" if "digits)" in str(error) else error
        raise DatasetError(f"{where}: not valid JSON: {reason!s:.200}") from None
    problem = _find_problem(content, finite=finite)
    if problem is not None:
        raise DatasetError(f"{where}: not valid JSON here: {problem}")
    return storable_json(content) if _may_hold_halves(text) else content


def _may_hold_halves(text: bytes | str) -> bool:
    """Return whether a JSON text may spell out half of a UTF-16 pair."""
    return bool(_HALF_IN_BYTES.search(text) if isinstance(text, bytes) else _HALF.search(text))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _find_problem(content: Any, *, finite: bool) -> str | None:
    """Return why a parsed text is refused; level by level, so that no depth is too much."""
    level = [content]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, int) and not -_LARGEST <= one <= _LARGEST:
                return "a whole number of more than 308 digits"
            elif finite and isinstance(one, float) and not math.isfinite(one):
                return "a number that is too large for a float"
        if not below:
            return None
        level = below
    return f"too many levels of lists and objects, expected at most {MAX_DEPTH}"
