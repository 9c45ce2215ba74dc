"""Reads and writes files so that a kill leaves either the old content or the new."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import UsageError


def diff(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List the differing fields of two JSON-like mappings as ``a.b: 16 != 32`` lines."""
    lines = []
    for key in sorted({*ours, *theirs}):
        left, right = ours.get(key), theirs.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            lines += diff(left, right, f"{prefix}{key}.")
        elif left != right:
            lines.append(f"{prefix}{key}: {left!r} != {right!r}")
    return lines


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file so that readers see the old or the new content, never half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Have a new folder written beside its place and move it there whole: a kill leaves no half."""
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    write(beside)
    beside.rename(folder)


def _exclusive(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written: {error.strerror}; choose another --out"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"{folder}: another process is writing this run; wait or use another --out"
        ) from None
    return handle


LOCK = ".lock"

"""The name that `harness.run.store` uses for run directories too."""

_LOOK_S = 0.01


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be; raises `UsageError` where another process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        if not _take(handle):
            raise UsageError(f"{folder}: another process is at work in it; wait, or choose another")
        yield
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Tell whether a process holds a folder right now."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _got(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    """Take the lock unless somebody works; those who only look share it, and are waited for."""
    while not _got(handle, fcntl.LOCK_EX):
        if not _got(handle, fcntl.LOCK_SH):
            return False
        time.sleep(_LOOK_S)
    return True


def _got(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
