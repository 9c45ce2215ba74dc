"""Unpacks published zip files; every entry is extracted whole or not at all.

An entry counts as extracted if a file of its size and modification time is at its path, as with
rsync. So an interrupted run is finished by the next one and deleted files are extracted again.
"""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from harness.errors import UsageError
from harness.files import write_atomically

Placed = tuple[ZipInfo, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A published zip or tar file and the folder that its content goes to."""

    path: str
    """Path in the repository; after the download, below the benchmark's folder. A tar file in
    parts has a pattern that all of them match, in the order of their names."""
    root: str
    """Folder in the archive that holds the entries; it and its parents are left out of paths."""
    into: str
    """Folder of the benchmark that the entries are extracted to."""


def unpack(archive: Archive, folder: Path) -> int:
    """Extract the entries that are not extracted yet; return their number.

    Raises:
        UsageError: The zip is damaged, or the path of an entry leads out of the folder; then
            nothing is written.
    """
    path = folder / archive.path
    try:
        with ZipFile(path) as opened:
            remaining = [
                pair for pair in _place_entries(opened, archive, folder) if not _is_extracted(*pair)
            ]
            for entry, target in _show_progress(remaining, f"unpacking {archive.path}"):
                _extract_entry(opened, entry, target)
    except (BadZipFile, EOFError, OSError, zlib.error) as error:
        raise UsageError(
            f"{path}: cannot be unpacked ({error}); delete it if it is damaged, and fetch again"
        ) from None
    return len(remaining)


def _place_entries(opened: ZipFile, archive: Archive, folder: Path) -> list[Placed]:
    """Pair each file of a zip with its path on disk."""
    return [
        (entry, place_entry(entry.filename, archive, folder))
        for entry in opened.infolist()
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    ]


def place_entry(name: str, archive: Archive, folder: Path) -> Path:
    """Return the path on disk of an entry; raise `UsageError` if it leads out of the folder."""
    return folder / archive.into / _inner_path(name, archive)


def _inner_path(name: str, archive: Archive) -> PurePosixPath:
    """Return an entry's path below the archive's root folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"{archive.path}: entry {name!r} leads out of the folder; nothing was unpacked"
        )
    if archive.root in path.parts[:-1]:
        return PurePosixPath(*path.parts[path.parts.index(archive.root) + 1 :])
    return path


def _is_extracted(entry: ZipInfo, target: Path) -> bool:
    try:
        found = target.stat()
    except FileNotFoundError:
        return False
    return found.st_size == entry.file_size and found.st_mtime == _modification_time(entry)


def _extract_entry(opened: ZipFile, entry: ZipInfo, target: Path) -> None:
    """Write one file whole, with the modification time that it has in the zip."""

    def write(temporary: Path) -> None:
        with opened.open(entry) as content, temporary.open("wb") as file:
            shutil.copyfileobj(content, file, length=1 << 20)
        os.utime(temporary, (_modification_time(entry), _modification_time(entry)))

    # Datasets have many thousand files: the system flushes them, and `_is_there` checks their size.
    write_atomically(target, write, sync=False)


def _modification_time(entry: ZipInfo) -> float:
    return time.mktime((*entry.date_time, 0, 0, -1))


def _show_progress(entries: list[Placed], description: str) -> Iterator[Placed]:
    """Yield the entries, with a progress bar on a terminal."""
    from rich.progress import track

    from harness.text.console import make_console

    console = make_console(stderr=True)
    yield from track(
        entries, description, console=console, transient=True, disable=not console.is_terminal
    )
