"""Writes whole files and folders: into a temporary place first, then renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError
from harness.files.content import parse_json, read_file
from harness.text.stored import storable, storable_json

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>[1-9][0-9]{0,9})", re.DOTALL)
"""The name of a temporary file: that of the file it becomes, and the id of its process."""
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Not the fault of the path that the user named: the disk is full, limited or broken."""


def write_atomically(path: Path, write: Callable[[Path], object], *, sync: bool = True) -> None:
    """Let `write` fill a temporary file, then rename it to `path`; parent folders are created.

    Args:
        path: The file to create or replace.
        write: Called with the path of the temporary file, in the same folder.
        sync: Flush the content to the disk before the rename. Without it a power failure may leave
            an empty file; enough where a later reader checks the content.

    Raises:
        UsageError: Nothing can be written there.
        HarnessError: The disk is full or broken.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if sync:  # the frame cache, which does not ask for it, sweeps its whole folder once
            sweep_leftovers(path.parent, path.name)
        write(temporary)
        if sync:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise write_error(path, error) from error
        raise


def sweep_leftovers(folder: Path, name: str | None = None) -> None:
    """Delete the temporary files that killed processes left in a folder.

    Files of processes that still run are kept, those of another user's processes, too.

    Args:
        folder: The folder itself is looked through, not those in it.
        name: Delete what was to become this file only; None: any file.
    """
    try:
        found = [path for path in os.scandir(folder) if path.name.startswith(".")]
    except OSError:
        return
    for entry in found:
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None or (name is not None and match["name"] != name):
            continue
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False) and not _is_running(int(match["process"])):
                Path(entry.path).unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks whether it is there
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(storable(text).encode()))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, indented, with sorted keys."""
    write_text(path, json.dumps(storable_json(content), indent=2, sort_keys=True) + "\n")


def write_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary folder, then rename it to `folder`, which must not exist yet."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left behind
    write(temporary)
    temporary.rename(folder)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        UsageError: The file is missing, unreadable, not JSON, or holds something else.
    """
    content = parse_json(read_file(path), str(path))
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds a {type(content).__name__}, expected a JSON object")
    return content


def write_error(path: Path, error: OSError) -> HarnessError:
    """Build the error for a file that cannot be written; it names the path and the reason."""
    message = f"{path}: cannot be written: {error.strerror or error}"
    if error.errno in _OUT_OF_SPACE:
        return HarnessError(f"{message}; what was written before is kept")
    return UsageError(message)
