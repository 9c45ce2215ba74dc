"""Reads, writes and appends to JSON Lines files: one object per line."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.errors import DatasetError
from harness.files.atomic import write_atomically, write_error
from harness.files.content import open_file, parse_json, read_error
from harness.text.shown import for_json
from harness.text.stored import storable

_BLOCK = 1 << 16

Row = Mapping[str, Any]


def write_json_lines(path: Path, rows: Iterable[Row]) -> None:
    """Write a whole JSON Lines file atomically, one object per line."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.writelines(map(_json_line, rows))

    write_atomically(path, write)


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of every line, counted from 1.

    A last line without its line break is what a killed writer leaves behind, and is left out.

    Raises:
        UsageError: The file cannot be read.
        DatasetError: A line is not a JSON object; names file and line.
    """
    for number, line in read_lines(path):
        yield number, _parse_line(line, f"{path}, line {number}")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the text of every line, as `read_json_lines` does its object.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        with open_file(path) as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield number, line
    except OSError as error:
        raise read_error(path, error) from None


class JsonLinesWriter:
    """Appends objects to a JSON Lines file; a context manager, safe to use from any thread.

    Opening the file cuts off a torn last line.

    Args:
        path: The file; it and its parent folders are created where missing.
        sync_every_s: Flush to the disk this often and when closed; None: leave it to the system.

    Raises:
        UsageError: The file cannot be opened for writing.
    """

    def __init__(self, path: Path, *, sync_every_s: float | None = None) -> None:
        self._path = path
        self._sync_every_s = sync_every_s
        self._synced_at = time.monotonic()
        self._mutex = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(path)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise write_error(path, error) from error

    def append(self, *rows: Row) -> None:
        """Append objects in one write.

        Raises:
            HarnessError: They cannot be written, for example to a full disk. The file then ends in
                a torn line at most.
        """
        content = b"".join(map(_json_line, rows))
        try:
            with self._mutex:
                if self._file.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                now = time.monotonic()
                if self._sync_every_s is not None and now - self._synced_at > self._sync_every_s:
                    os.fsync(self._file.fileno())
                    self._synced_at = now
        except OSError as error:
            raise write_error(self._path, error) from error

    def close(self) -> None:
        """Flush what was appended to the disk, if asked for, and close the file."""
        try:
            if self._sync_every_s is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise write_error(self._path, error) from error
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _json_line(row: Row) -> bytes:
    text = json.dumps(row, ensure_ascii=False)
    return for_json(storable(text)).encode() + b"\n"


def _parse_line(line: bytes, where: str) -> dict[str, Any]:
    row = parse_json(line, where, finite=False)  # a training may log a loss that is not finite
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: holds a {type(row).__name__}, expected a JSON object")
    return row


def _cut_torn_line(path: Path) -> None:
    """Truncate a file, if there is one, behind its last line break."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end != size:
            file.truncate(end)
