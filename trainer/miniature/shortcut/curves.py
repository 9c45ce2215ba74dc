"""Plot the scores of every checkpoint on the development split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.plugins import importing
from trainer.miniature.arms import Arm
from trainer.miniature.results import Measure
from trainer.miniature.shortcut.arms import START, algorithm_title
from trainer.miniature.shortcut.measures import GAIN_LYING, LYING, NO_MARK
from trainer.miniature.shortcut.results import ShortcutResults
from trainer.watch.timeline_view import save_figure

_ROWS: Sequence[tuple[Measure, str]] = (
    (LYING, "lying mark"),
    (GAIN_LYING, "temporal gain, lying mark"),
    (NO_MARK, "no mark"),
)
_PANEL = (3.6, 2.6)
"""Width and height of a panel in inches."""


def draw_curves(results: ShortcutResults, path: Path) -> None:
    """Plot a row of panels per measure and a column per share of agreeing marks.

    Each seed is a thin line, the mean over the seeds a thick one; update 0 is the start.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with importing("matplotlib", "train"):
        from matplotlib.figure import Figure
    shares = results.arms.agreements
    size = (_PANEL[0] * len(shares), _PANEL[1] * len(_ROWS))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(_ROWS), len(shares), sharex=True, sharey="row", squeeze=False)
    for row, (measure, title) in zip(axes, _ROWS, strict=True):
        for axis, share in zip(row, shares, strict=True):
            for colour, name in enumerate(results.arms.algorithms):
                arm = results.arms.arm(name, share)
                if arm in results.test.arms:
                    _draw_arm(axis, results, arm, measure, f"C{colour}")
            axis.set(title=f"{title}; mark agrees in {100 * share:.0f} %", ylabel="points")
            axis.title.set_fontsize("small")
    for axis in axes[-1]:
        axis.set_xlabel("update")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) or 1)
    save_figure(figure, path)


def _draw_arm(axis: Any, results: ShortcutResults, arm: Arm, measure: Measure, colour: str) -> None:
    steps = results.steps(arm)
    columns = [100 * results.dev[arm.name, step].table(arm, measure).mean(axis=1) for step in steps]
    for step in results.steps(START)[-1:]:
        columns.insert(0, 100 * results.dev[START.name, step].table(START, measure).mean(axis=1))
        steps = [0, *steps]
    by_seed = np.stack(columns, axis=1)
    for line in by_seed:
        axis.plot(steps, line, color=colour, alpha=0.25, linewidth=0.6)
    label = algorithm_title(arm.algorithm.name)
    axis.plot(steps, by_seed.mean(axis=0), color=colour, label=label)
