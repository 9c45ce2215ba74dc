r"""Read subtitle files and find the lines that belong to sampled frames.

Files are read with pysubs2, as Video-MME's own script does, so that a line has the text that it has
there: markup of the subtitle format stays in it (``{\i1}`` for italics).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.errors import DatasetError, UsageError
from harness.files import read_file

FORMATS = ("srt", "vtt")
"""Subtitle formats that are read; also the endings of the files."""

_KEPT_FILES = 64
"""Parsed files that are kept: the questions of one video come in a row."""

_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Cue(NamedTuple):
    """One subtitle with its time."""

    start_ms: int
    end_ms: int
    text: str
    """Its lines joined by blanks."""


def find_subtitles(folder: Path, name: str) -> Path | None:
    """Return the subtitle file of a video in a folder, None if it has none."""
    paths = (folder / f"{name}.{ending}" for ending in FORMATS)
    return next((path for path in paths if path.is_file()), None)


@lru_cache(maxsize=_KEPT_FILES)
def read_cues(path: Path) -> tuple[Cue, ...]:
    """Read the cues of a ``.srt`` or ``.vtt`` file, in the order of the file.

    Raises:
        DatasetError: The file cannot be read, is not UTF-8 text, or holds no cue but other text.
    """
    import pysubs2

    try:
        text = read_file(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UsageError as error:
        raise DatasetError(str(error)) from None
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: expected subtitles in UTF-8, got byte {error.object[error.start]:#04x} at"
            f" {error.start}; convert the file"
        ) from None
    kind = path.suffix.removeprefix(".")
    if kind == "vtt":  # pysubs2 takes a comment for a line of the cue above it
        text = "\n\n".join(b for b in _BLANK_LINE.split(text) if not _COMMENT.match(b.lstrip()))
    try:
        events = list(pysubs2.SSAFile.from_string(text, format_=kind))
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise DatasetError(f"{path}: not a readable .{kind} file: {error!s:.200}") from None
    if not events and text.strip().removeprefix("WEBVTT").strip():
        raise DatasetError(f"{path}: expected subtitles with times, found none; is it a .{kind}?")
    return tuple(Cue(one.start, one.end, one.text.replace("\\N", " ")) for one in events)


def lines_at(cues: Sequence[Cue], times: Sequence[float]) -> tuple[str, ...]:
    """Return the subtitle shown at each of some times, in seconds; times without one are left out.

    Of several cues at a time the first in the file counts, and only strictly between its start and
    end, in whole milliseconds. A cue at three times is returned three times. Source:
    ``slice_and_extract.py`` of look4u-ok/video-slicer@aff7000, which Video-MME's README names.
    """
    return tuple(line for line in _shown(cues, times) if line.strip())


def _shown(cues: Sequence[Cue], times: Sequence[float]) -> Iterator[str]:
    for moment in (round(1000 * time) for time in times):
        yield next((cue.text for cue in cues if cue.start_ms < moment < cue.end_ms), "")
