"""Finds the watches of a training run, which lie beside it by default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError
from trainer.watch.evaluations import EvalPoint, read_points
from trainer.watch.settings import SETTINGS, watched_run


def find_watches(run: Path) -> dict[Path, list[EvalPoint]]:
    """Return the evaluated checkpoints of every watch of a run, by the watch's folder."""
    return {folder: read_points(folder) for folder in sorted(_find_folders(run.resolve()))}


def _find_folders(run: Path) -> Iterator[Path]:
    for path in run.parent.glob(f"*/{SETTINGS}"):
        try:
            watched = watched_run(path.parent)
        except (HarnessError, KeyError, TypeError):
            continue  # another program's file of that name
        if watched == run:
            yield path.parent
