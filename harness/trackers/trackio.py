"""Sends to trackio, which writes to a local database unless ``TRACKIO_SPACE_ID`` names a Space.

API: https://huggingface.co/docs/trackio; its own variables say where it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.text.shown import for_markdown
from harness.trackers.api import ItemTable, TrackedRun, Tracker


class TrackioTracker:
    """A run of trackio."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def log_scores(self, scores: Mapping[str, float], step: int) -> None:
        """Log numbers."""
        self._run.log(dict(scores), step=step)

    def log_table(self, table: ItemTable, step: int) -> None:
        """Log a `trackio.Table`, whose cells trackio reads as Markdown."""
        import trackio

        rows = [[for_markdown(c) if isinstance(c, str) else c for c in row] for row in table.rows]
        shown = trackio.Table(columns=list(table.columns), data=rows)
        self._run.log({table.name: shown}, step=step)

    def close(self, *, failed: bool) -> None:
        """Send what is left; trackio knows no failed runs."""
        import trackio

        trackio.finish()  # unlike the run's own method it is not called again at exit


def start(run: TrackedRun) -> Tracker:
    """Start a run, or go on with the one of the same name."""
    import trackio

    return TrackioTracker(
        trackio.init(
            project=run.project,
            name=f"{run.name} {run.id[:6]}",
            resume="allow",
            config=dict(run.config),
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
    )
