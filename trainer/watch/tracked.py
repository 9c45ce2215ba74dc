"""Tells trackers of every evaluated checkpoint of a training, with the training step as step."""

from __future__ import annotations

from pathlib import Path

from harness.probe.summary import is_probe, read_probe
from harness.probe.tracked import report_probe
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
    folder = run_folder(out, point.step)
    if is_probe(folder):
        report_probe(trackers, read_probe(folder), folder, items, step=point.step)
    else:
        report_run(trackers, Run(folder), items, step=point.step)
    if point.verdict is not None:
        worse = float(point.verdict == "REGRESSION")
        trackers.log_scores({"gate/regression": worse}, point.step)
