"""Keeping two processes out of one folder: a lock that disappears with its process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageError

LOCK = ".lock"
"""The name that `harness.store` uses for run directories too."""

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
