"""Choose and place LongVideoBench's subtitles between sampled frames, as its publisher does.

Source: longvideobench/LongVideoBench@fc3c553, ``insert_subtitles_into_frames``. In short: a cue
stands behind the frames up to its middle, and is shown only if a frame lies strictly inside it,
where a cue of less than a second is widened to one second around its middle. Traps, which are
kept: cues are placed in the order of the file, so that one out of order stands late; in the form
with ``timestamp`` an end that is a whole number is taken for missing and becomes the row's duration
before the clip's offset is subtracted; a cue over several frames is shown once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DatasetError
from tasks.files import json_rows, read_json


class Clipped(NamedTuple):
    """What a row says of its clip, which may be cut from a longer video."""

    offset_s: float
    """Start of the clip on the clock of the subtitles."""
    duration_s: float


def interleave(
    times: Sequence[float], cues: Sequence[Mapping[str, Any]], clip: Clipped
) -> list[int | str]:
    """Return the frames, by position, and the texts that are shown, in their order.

    Args:
        times: Seconds of the frames in the clip, in time order.
        cues: The entries of a subtitle file, in its order.
        clip: The clip that the frames are from.

    Raises:
        ValueError: A cue has no readable times or no text.
    """
    placed: list[int | str] = []
    shown = 0
    for cue in cues:
        start, end, text = _read_cue(cue, clip)
        middle = (start + end) / 2
        while shown < len(times) and times[shown] <= middle:
            placed.append(shown)
            shown += 1
        if end - start < 1:
            start, end = middle - 0.5, middle + 0.5
        if any(start < time < end for time in times):
            placed.append(text)
    return [*placed, *range(shown, len(times))]


@lru_cache(maxsize=64)
def read_cues(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Read the entries of a subtitle file; raise `DatasetError` if it is not a list of objects."""
    return tuple(row.fields for row in json_rows(path, read_json(path)))


def place_texts(path: Path, times: Sequence[float], clip: Clipped) -> list[tuple[int, str]]:
    """Return the texts that `interleave` shows, each with the number of frames before it.

    Raises:
        DatasetError: The file cannot be read, or is not LongVideoBench's.
    """
    try:
        placed = interleave(times, read_cues(path), clip)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{path}: not LongVideoBench's subtitles: {error!s:.200}") from None
    found, frames = [], 0
    for entry in placed:
        if isinstance(entry, str):
            found.append((frames, entry))
        else:
            frames += 1
    return found


def _read_cue(cue: Mapping[str, Any], clip: Clipped) -> tuple[float, float, str]:
    """Return start and end in seconds of the clip, and the text."""
    if "timestamp" in cue:
        start, end = cue["timestamp"]
        end = end if isinstance(end, float) else clip.duration_s
        text = cue["text"]
    else:
        start, end = _seconds(cue["start"]), _seconds(cue["end"])
        text = cue["line"]
    if not isinstance(text, str):
        raise ValueError(f"expected a text, got {text!r:.80}")
    return start - clip.offset_s, end - clip.offset_s, text


def _seconds(clock: str) -> float:
    """Read ``00:01:16.000``."""
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
