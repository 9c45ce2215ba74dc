"""Tells trackers what a probe has found: every variant as a run, and the differences."""

from __future__ import annotations

from pathlib import Path

from harness.probe.summary import ProbeSummary
from harness.run.result import Run
from harness.run.tracking import clean_name, report_run
from harness.trackers.guard import GuardedTrackers


def report_probe(
    trackers: GuardedTrackers, summary: ProbeSummary, folder: Path, items: int, *, step: int = 0
) -> None:
    """Send the measures of a probe, and scores and tables of its variants under their names.

    Args:
        trackers: Where to.
        summary: What was found.
        folder: The probe's folder.
        items: Most rows of the tables of all variants together.
        step: Where in the history of the tracker, for example a training step.
    """
    if not trackers:
        return
    trackers.log_scores(probe_scores(summary), step)
    for number, (name, variant) in enumerate(summary.variants.items()):
        share = (items + number) // len(summary.variants)
        report_run(trackers, Run(folder / variant.run), share, step=step, prefix=f"{name}/")


def probe_scores(summary: ProbeSummary) -> dict[str, float]:
    """Return the measures with their intervals by name, for example ``probe/vsibench/gain``."""
    found: dict[str, float] = {}
    for measure, tasks in summary.measures.items():
        for task, one in tasks.items():
            if one.total is None:
                continue
            name = f"probe/{task}/{measure}"
            found[name] = one.total.value
            if one.total.ci95 is not None:
                found[f"{name}/ci95_low"], found[f"{name}/ci95_high"] = one.total.ci95
    return {clean_name(name): value for name, value in found.items()}
