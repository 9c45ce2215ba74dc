"""Reads scores that others published: shown beside measured ones, never compared with them.

The file is CSV with the columns model, task, score, frames, setting, source, note. The project's
repository has ``results/published.csv`` with the scores of the Video-R1 paper and of the
benchmarks' own leaderboards; it is not part of the installed package.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DatasetError
from harness.files import read_file

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
