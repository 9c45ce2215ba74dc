"""Claims folders for one run and locks them for one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RunMismatchError, UsageError
from harness.files.atomic import read_json, sweep_leftovers, write_json

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"
"""The lock file in a folder that one process at a time may write."""

_WAIT_FOR_CHECKS_S = 0.5
"""How long a worker waits for a lock: `is_locked` holds it for microseconds."""
_CHECK_S = 0.02
"""How long a check waits for other checks before it calls a folder locked."""
_POLL_S = 0.002

Json = Mapping[str, Any]


def diff(ours: Json, theirs: Json, prefix: str = "") -> list[str]:
    """List the differing fields of two JSON-like mappings as ``a.b: 16 != 32`` lines."""
    lines = []
    for key in sorted({*ours, *theirs}):
        left, right = ours.get(key), theirs.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            lines += diff(left, right, f"{prefix}{key}.")
        elif left != right:
            lines.append(f"{prefix}{key}: {left!r} != {right!r}")
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderClaim:
    """The rule that a folder belongs to one run, whose manifest lies in it."""

    manifest: str
    """Name of the JSON file that says what the folder is of."""
    kind: str
    """What such a folder holds, for messages: ``training run``."""
    compared: Callable[[Json], Json] = dict
    """Picks the part of a manifest that has to be equal."""
    read: Callable[[Path], Json] = read_json
    """Reads the manifest, whose fields `compared` relies on, or raises an error that names one."""
    must_be_new: bool = False
    """Refuse a folder that has files but no manifest."""
    explained: Json = field(default_factory=dict)
    """What the user should know of differing fields, by the first part of their name."""

    def take(self, folder: Path, asked: Json) -> None:
        """Write the manifest `asked` into the folder, created where missing, or check it.

        Raises:
            RunMismatchError: The folder belongs to something else.
            UsageError: It cannot be written.
        """
        if not self.check(folder, asked):
            write_json(folder / self.manifest, asked)

    def check(self, folder: Path, asked: Json) -> bool:
        """Return whether a folder belongs to this run; False where it belongs to none yet.

        Raises:
            RunMismatchError: The folder belongs to something else; names the differing fields.
        """
        path = folder / self.manifest
        if not path.exists():
            self._refuse_files(folder)
            return False
        wanted = json.loads(json.dumps(dict(asked)))
        lines = diff(self.compared(self.read(path)), self.compared(wanted))
        if lines:
            known = [text for part, text in self.explained.items() if _begins(lines, part)]
            told = "".join(f" ({text})" for text in known)
            raise RunMismatchError(
                f"{folder} holds another {self.kind} (stored != asked): {'; '.join(lines)}{told}."
                " Use another --out to keep both"
            )
        return True

    def _refuse_files(self, folder: Path) -> None:
        if self.must_be_new and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunMismatchError(
                f"{folder} exists and holds no {self.kind} (no {self.manifest}); choose another"
                " --out"
            )


def _begins(lines: Iterable[str], part: str) -> bool:
    return any(line.startswith(f"{part}.") for line in lines)


def lock_folder(folder: Path) -> BaseFileLock:
    """Lock a folder, created where missing, until `release()` or the end of this process.

    Temporary files that killed processes left in it are deleted.

    Raises:
        UsageError: Another process works in the folder, or it cannot be written.
    """
    from filelock import Timeout

    lock = _file_lock(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_WAIT_FOR_CHECKS_S, poll_interval=_POLL_S)
    except Timeout:
        raise UsageError(
            f"{folder}: another process is writing this folder; wait until it ends, or use"
            " another --out"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written: {error.strerror}; choose another --out"
        ) from None
    sweep_leftovers(folder)
    return lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the time of a block; raises as `lock_folder` does."""
    lock = lock_folder(folder)
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process holds a folder's lock; False where that cannot be seen.

    Looking takes the lock for an instant, which `lock_folder` and other checks wait for.
    """
    from filelock import Timeout

    if not (folder / LOCK).exists():
        return False
    lock = _file_lock(folder)
    try:
        lock.acquire(timeout=_CHECK_S, poll_interval=_POLL_S)
    except Timeout:
        return True
    except OSError:  # a folder of somebody else, or one that is being deleted
        return False
    lock.release()
    return False


def _file_lock(folder: Path) -> BaseFileLock:
    from filelock import FileLock

    # A run is written and closed by whichever thread does it last.
    return FileLock(folder / LOCK, thread_local=False)
