"""Tells trackers of every evaluated checkpoint of a training, with the training step as step."""

from __future__ import annotations

from pathlib import Path

from harness.run.result import Run
from harness.run.tracking import report_run
from harness.trackers.guard import GuardedTrackers
from trainer.watch.evaluations import EvalPoint, run_folder


def report_point(trackers: GuardedTrackers, point: EvalPoint, out: Path, items: int) -> None:
    """Send scores, outcomes and items of one checkpoint, and whether it is worse than the start.

    Args:
        trackers: Where to.
        point: The evaluated checkpoint.
        out: Folder of the watch.
        items: Most rows of the tables of this checkpoint.
    """
    if not trackers:
        return
    report_run(trackers, Run(run_folder(out, point.step)), items, step=point.step)
    if point.verdict is not None:
        worse = float(point.verdict == "REGRESSION")
        trackers.log_scores({"gate/regression": worse}, point.step)
