"""Reads scores that others published: shown beside measured ones, never compared with them.

The file is CSV with the columns model, task, score, frames, setting, source, note. The one that
comes with this package, ``published.csv`` beside this module, has the scores of the Video-R1 paper
and of the benchmarks' own leaderboards.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import DatasetError, UsageError
from harness.files import read_file

PUBLISHED = Path(__file__).with_name("published.csv")
"""The scores that come with this package."""
COLUMNS = ("model", "task", "score", "frames", "setting", "source", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScore:
    """One published score."""

    model: str
    task: str
    """``name``, or ``name:category`` for a part of a benchmark."""
    score: float
    """0-100."""
    frames: str
    """As published: a number, ``1 fps``, empty where the source does not say."""
    setting: str
    source: str
    note: str

    @property
    def origin(self) -> str:
        """Source, setting and note in one line."""
        return "; ".join(filter(None, (self.source, self.setting, self.note)))


def read_published(path: Path) -> list[PublishedScore]:
    """Read every score of a CSV file.

    Raises:
        UsageError: The file cannot be read.
        DatasetError: A line is malformed, or a model, task or source is missing.
    """
    try:
        text = read_file(path).decode("utf-8")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DatasetError(
                f"{path}: the first line must be {','.join(COLUMNS)},"
                f" got {','.join(reader.fieldnames or ()):.200}"
            )
        scores = [_make_score(row, f"{path}, line {reader.line_num}") for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a CSV file of published scores: {error!s:.200}") from None
    repeated = [score for score, count in Counter(scores).items() if count > 1]
    if repeated:
        raise DatasetError(
            f"{path}: {repeated[0].model!r:.80} on {repeated[0].task!r:.80} is there twice;"
            " expected every score once"
        )
    return scores


def select_published(
    scores: Sequence[PublishedScore], wanted: Sequence[str]
) -> list[PublishedScore]:
    """Return the scores of some models, in the order in which these are named.

    Args:
        scores: Scores of which every model and frame count is a row.
        wanted: ``MODEL`` or ``MODEL@FRAMES``. A model is meant by its name, by a part of names
            where none is equal, or by a pattern with ``*``; upper and lower case, spaces, hyphens
            and underscores are equal.

    Raises:
        UsageError: Nothing fits one of them; names models that are near.
    """
    found: dict[PublishedScore, None] = {}
    for row in wanted:
        fitting = [one for one in scores if _fits(one, row, str.__eq__)]
        fitting = fitting or [one for one in scores if _fits(one, row, _matches)]
        if not fitting:
            raise UsageError(
                f"--published: no published score of {row!r:.80}; there are"
                f" {', '.join(_near(row, scores))}. MODEL@16 names frames, --published alone takes"
                " all rows; run directories come before --published"
            )
        found |= dict.fromkeys(fitting)
    return list(found)


def unused_rows(scores: Iterable[PublishedScore], tasks: Collection[str]) -> list[str]:
    """Return a sentence per published row that has no score on any of some tasks."""
    rows: dict[tuple[str, str], set[str]] = {}
    for score in scores:
        rows.setdefault((score.model, score.frames), set()).add(score.task)
    return [
        f"published {model}{f', {frames} frames' if frames else ''} has no score on this board;"
        f" it has {', '.join(sorted(known))}"
        for (model, frames), known in rows.items()
        if not known & set(tasks)
    ]


def _fits(score: PublishedScore, row: str, matches: Callable[[str, str], bool]) -> bool:
    model, _, frames = row.rpartition("@") if "@" in row else (row, "", "")
    known = not frames or _plain(score.frames) == _plain(frames)
    return known and bool(_plain(model)) and matches(_plain(score.model), _plain(model))


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) if "*" in pattern else pattern in name


def _plain(text: str) -> str:
    return " ".join(re.split(r"[\s_-]+", text.casefold())).strip()


def _near(row: str, scores: Sequence[PublishedScore]) -> list[str]:
    models = list(dict.fromkeys(score.model for score in scores))
    return get_close_matches(row.partition("@")[0], models, n=5, cutoff=0.3) or models[:5]


def _make_score(row: dict[str, str | None], where: str) -> PublishedScore:
    fields = {name: row[name] for name in COLUMNS}
    texts = {name: value for name, value in fields.items() if value is not None}
    if len(texts) != len(COLUMNS) or None in row:
        raise DatasetError(f"{where}: expected {len(COLUMNS)} fields: {','.join(COLUMNS)}")
    for name in ("model", "task", "source"):
        if not texts[name]:
            raise DatasetError(f"{where}: {name} is empty")
    try:
        score = float(texts["score"])
    except ValueError:
        score = math.nan
    if not 0 <= score <= 100:
        raise DatasetError(
            f"{where}: field 'score': {texts['score']!r:.80} is not a number from 0 to 100"
        )
    return PublishedScore(
        model=texts["model"],
        task=texts["task"],
        score=score,
        frames=texts["frames"],
        setting=texts["setting"],
        source=texts["source"],
        note=texts["note"],
    )
