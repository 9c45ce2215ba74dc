"""Unpacks published tar files, also those that are distributed in parts.

As with zip files (`harness.data.archives`), an entry is extracted whole or not at all, and one that
is there with its size and modification time is not extracted again. Parts are read one after the
other, so that the whole archive never exists beside them.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from harness.data.archives import Archive, place_entry
from harness.errors import UsageError
from harness.files import write_atomically


def unpack_tar(archive: Archive, parts: Sequence[Path], folder: Path) -> int:
    """Extract the entries of a tar file that are not extracted yet; return their number.

    Args:
        archive: Where the entries go; its path may be a pattern that all parts match.
        parts: The files whose contents in a row are the tar file.
        folder: The benchmark's own folder.

    Raises:
        UsageError: A part is missing or damaged, or the path of an entry leads out of the folder.
    """
    extracted = 0
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(part.open("rb")) for part in parts]
            opened = stack.enter_context(tarfile.open(fileobj=_Joined(files), mode="r|"))
            for entry, target in _place_entries(opened, archive, folder):
                content = opened.extractfile(entry)
                if content is not None and not _is_extracted(entry, target):
                    _extract(entry, content, target)
                    extracted += 1
    except (tarfile.TarError, EOFError, OSError) as error:
        names = parts[0].name if len(parts) == 1 else f"{parts[0].name} to {parts[-1].name}"
        raise UsageError(
            f"{folder / archive.path}: {names}, {len(parts)} files in all, cannot be unpacked"
            f" ({error}); delete what is damaged, and fetch again"
        ) from None
    return extracted


class _Joined(io.RawIOBase):
    """The contents of several open files in a row, to be read from the start to the end."""

    def __init__(self, files: Sequence[IO[bytes]]) -> None:
        self._files = iter(files)
        self._current = next(self._files, None)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end of the last file."""
        found = bytearray()
        while self._current is not None and (size < 0 or len(found) < size):
            piece = self._current.read(size - len(found) if size >= 0 else -1)
            found += piece
            if not piece:
                self._current = next(self._files, None)
        return bytes(found)


def _place_entries(
    opened: tarfile.TarFile, archive: Archive, folder: Path
) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """Yield each file of a tar with its path on disk; folders have no content."""
    for entry in opened:
        if entry.isdir():
            continue
        if not entry.isfile():
            raise UsageError(
                f"{archive.path}: entry {entry.name!r} is a link or a device, expected a file"
            )
        yield entry, place_entry(entry.name.removeprefix("./"), archive, folder)


def _is_extracted(entry: tarfile.TarInfo, target: Path) -> bool:
    try:
        found = target.stat()
    except FileNotFoundError:
        return False
    return found.st_size == entry.size and found.st_mtime == entry.mtime


def _extract(entry: tarfile.TarInfo, content: IO[bytes], target: Path) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            shutil.copyfileobj(content, file, length=1 << 20)
        if temporary.stat().st_size != entry.size:
            raise EOFError(f"{entry.name} is cut off")
        os.utime(temporary, (entry.mtime, entry.mtime))

    write_atomically(target, write, sync=False)
