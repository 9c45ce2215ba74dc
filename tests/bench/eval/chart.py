"""One picture: the seconds a question takes after start-up, by workload and contender."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tests.bench.eval.figures import OTHERS, US, Figures

_SIZE = (9.0, 1.1)
"""Inches: width, and height for each workload."""
_CACHED = "videor1 cached"


def draw(all_figures: Sequence[Figures], path: Path) -> None:
    """Draw a group of bars per workload, on a logarithmic axis; failed contenders have none."""
    shown = [figures for figures in all_figures if figures.good(US)]
    names = [US, *(name for name in OTHERS if name != _CACHED)]
    names = [name for name in names if any(figures.good(name) for figures in shown)]
    if not shown:
        return
    figure = Figure(figsize=(_SIZE[0], 1.2 + _SIZE[1] * len(shown)), layout="constrained")
    axis = figure.subplots()
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        offset = (place - (len(names) - 1) / 2) * height
        rows = [
            (row + offset, runs.all_work_s / figures.workload.questions)
            for row, figures in enumerate(shown)
            if (runs := figures.good(name))
        ]
        bars = axis.barh(*zip(*rows, strict=True), height=height, label=name)
        axis.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    limits = [
        (row, figures.limit["limit_s"] / figures.workload.questions)
        for row, figures in enumerate(shown)
        if "limit_s" in figures.limit
    ]
    for row, seconds in limits:
        label = "limit of the machine" if row == limits[0][0] else None
        axis.plot([seconds] * 2, [row - 0.45, row + 0.45], color="black", lw=1.2, label=label)
    axis.set_yticks(range(len(shown)), [_label(figures) for figures in shown])
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="seconds per question after start-up (logarithmic)")
    axis.margins(x=0.12)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(names) + 1, frameon=False)
    figure.savefig(path, dpi=130)


def _label(figures: Figures) -> str:
    workload = figures.workload
    return f"{workload.source}, {workload.per_video} a video\n{workload.videos} videos"
