"""Read Video-MME-v2's subtitles, one word with its times per line, and place them between frames.

Source: MME-Benchmarks/Video-MME-v2@013b6c9, ``evaluation/test_video_mme_v2.py``
(``group_subtitle_segments``, ``segments_between_timestamps``). In short: words are joined to parts
of speech at pauses; a part stands behind every frame whose time up to the next frame's it touches,
so that one over three frames is shown three times. Behind the last frame the script ends with the
video; here also parts later than that are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import NamedTuple

from tasks.files import Row, read_rows

_PAUSE_S = 0.5
_PAUSE_AFTER_SENTENCE_S = 0.1
_SENTENCE_ENDS = (".", "!", "?")


class Word(NamedTuple):
    """A word, or the words of a part of speech, with its time in the video."""

    text: str
    start_s: float
    end_s: float


def read_text(path: Path) -> str:
    """Return all words of a subtitle file; their times are not read."""
    return " ".join(row.text("text") for row in _read_lines(path))


@lru_cache(maxsize=64)
def read_words(path: Path) -> tuple[Word, ...]:
    """Read the words of a subtitle file, none of an empty one.

    Raises:
        DatasetError: The file cannot be read, or a line is no word with its times.
    """
    words = []
    for row in _read_lines(path):
        start, end = row.seconds("start_time"), row.seconds("end_time")
        if start is None or end is None:
            raise row.bad("start_time", "a number of seconds >= 0, and end_time")
        words.append(Word(row.text("text"), start, end))
    return tuple(words)


def group_words(words: Sequence[Word]) -> list[Word]:
    """Return the parts of speech: words up to a pause, which may be short after a sentence."""
    parts: list[list[Word]] = [[word] for word in words[:1]]
    for before, word in pairwise(words):
        pause = word.start_s - before.end_s
        ended = before.text.rstrip().endswith(_SENTENCE_ENDS)
        if pause > _PAUSE_S or (ended and pause > _PAUSE_AFTER_SENTENCE_S):
            parts.append([])
        parts[-1].append(word)
    return [_join(part) for part in parts]


def spoken_behind(parts: Sequence[Word], times: Sequence[float]) -> Iterator[list[str]]:
    """Yield for each frame the lines that stand behind it, in the publisher's form.

    Args:
        parts: The parts of speech.
        times: Seconds of the frames, in time order.
    """
    for start, end in pairwise((*times, inf)):
        yield [
            f"[Subtitle {part.start_s:.2f}s - {part.end_s:.2f}s]: {part.text}"
            for part in parts
            if part.end_s >= start and part.start_s < end
        ]


def _join(words: Sequence[Word]) -> Word:
    return Word(" ".join(word.text for word in words), words[0].start_s, words[-1].end_s)


def _read_lines(path: Path) -> list[Row]:
    return read_rows(path) if path.stat().st_size else []
