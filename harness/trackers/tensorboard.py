"""Writes event files for TensorBoard below the run directory, by tensorboardX.

API: https://tensorboardx.readthedocs.io; `tensorboard --logdir` on the folder shows them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.text.shown import for_markdown
from harness.trackers.api import ItemTable, TrackedRun, Tracker


class TensorBoardTracker:
    """A writer of event files."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log_scores(self, scores: Mapping[str, float], step: int) -> None:
        """Write one scalar per number."""
        for name, value in scores.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def log_table(self, table: ItemTable, step: int) -> None:
        """Write the table as Markdown, which TensorBoard's text page shows."""
        head, *rows = (
            f"| {' | '.join(for_markdown(_as_text(cell)) for cell in row)} |"
            for row in (table.columns, *table.rows)
        )
        text = "\n".join([head, f"|{' --- |' * len(table.columns)}", *rows])
        self._writer.add_text(table.name, text, step)
        self._writer.flush()

    def close(self, *, failed: bool) -> None:
        """Close the file; TensorBoard knows no failed runs."""
        self._writer.close()


def start(run: TrackedRun) -> Tracker:
    """Open an event file and write the configuration as text."""
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(logdir=str(run.folder / "tensorboard"))
    config = json.dumps(run.config, indent=2, ensure_ascii=True)
    writer.add_text("config", "\n".join(f"    {line}" for line in config.splitlines()), 0)
    return TensorBoardTracker(writer)


def _as_text(cell: object) -> str:
    return "-" if cell is None else str(cell)
