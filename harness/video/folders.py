"""Lists the numbered images of a frame folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import InaccessibleMediaError, MediaError, UnusableMediaError

_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_NUMBER = re.compile(r"[0-9]+$")


def numbered_images(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder by the number at the end of their names.

    Hidden files (macOS writes ``._00001.jpg`` beside ``00001.jpg``), folders and files that are no
    images are ignored.

    Raises:
        MediaError: There are no images, two have one number, or a number between is missing.
    """
    numbered: dict[int, Path] = {}
    try:
        for number, path in _candidates(folder):
            if number in numbered:
                first, second = sorted((numbered[number].name, path.name))
                raise UnusableMediaError(
                    f"{first} and {second} are both image {number}; delete one"
                )
            numbered[number] = path
    except OSError as error:
        raise InaccessibleMediaError(str(error.strerror)) from error
    if not numbered:
        raise MediaError("the folder holds no numbered images")
    for number in range(min(numbered), max(numbered)):
        if number not in numbered:
            raise MediaError(f"image {number} of {min(numbered)} to {max(numbered)} is missing")
    return tuple(numbered[number] for number in sorted(numbered))


def _candidates(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in sorted(folder.iterdir()):
        match = _NUMBER.search(path.stem)
        hidden = path.name.startswith(".")
        if match and not hidden and path.suffix.lower() in _SUFFIXES and not path.is_dir():
            yield int(match.group()), path
