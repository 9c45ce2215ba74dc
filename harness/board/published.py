"""Scores that others published: shown beside measured ones, never compared with them.

The file is CSV with the columns model, task, score, frames, setting, source, note; ``results/
published.csv`` of this repository has the figures of the Video-R1 paper and of the benchmarks' own
leaderboards. It is data of a checkout, not part of the installed package.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DatasetError, UsageError

COLUMNS = ("model", "task", "score", "frames", "setting", "source", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published figure."""

    model: str
    task: str
    """``name``, or ``name:category`` for a part of a benchmark."""
    score: float
    """0-100."""
    frames: str
    """As published: a number, ``1 fps``, empty where it is not said."""
    setting: str
    source: str
    note: str


def read_published(path: Path) -> list[Published]:
    """Read every figure; one without a source is refused."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise DatasetError(f"{path}: the first line must be {','.join(COLUMNS)}")
            return [_figure(row, f"{path}, line {reader.line_num}") for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read ({error}); name the file as --published=FILE"
        ) from None


def _figure(row: dict[str, str | None], where: str) -> Published:
    fields = {name: row[name] for name in COLUMNS}
    texts = {name: value for name, value in fields.items() if value is not None}
    if len(texts) != len(COLUMNS) or None in row:
        raise DatasetError(f"{where}: expected {len(COLUMNS)} fields")
    for name in ("model", "task", "source"):
        if not texts[name]:
            raise DatasetError(f"{where}: {name} is empty")
    try:
        score = float(texts["score"])
    except ValueError:
        raise DatasetError(f"{where}: score {texts['score']!r} is not a number") from None
    return Published(
        model=texts["model"],
        task=texts["task"],
        score=score,
        frames=texts["frames"],
        setting=texts["setting"],
        source=texts["source"],
        note=texts["note"],
    )
