"""Plot the reinforcement learning of every arm over all seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.plugins import importing
from trainer.miniature.arms import ARMS, Arm
from trainer.watch.timeline import (
    ACCURACY,
    GAP,
    REWARD,
    Timeline,
    read_timeline,
    running_mean,
)
from trainer.watch.timeline_view import save_figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    title: str
    unit: str
    metric: str
    second_metric: str | None = None
    """Drawn in the same panel, dashed."""


_PANELS = (
    _Panel(title="reward", unit="reward", metric=REWARD),
    _Panel(
        title="accuracy, all ordered (dashed: shuffled clips)",
        unit="share correct",
        metric=ACCURACY,
        second_metric="temporal/shuffled",
    ),
    _Panel(
        title="temporal gap of the clips: ordered - shuffled",
        unit="difference of accuracy",
        metric=GAP,
    ),
    _Panel(title="length of a completion", unit="tokens", metric="completions/mean_length"),
)
_SIZE = (10.0, 6.5)
"""Width and height in inches."""


def rl_arms(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that are trained with reinforcement learning."""
    return [arm for arm in arms if not arm.is_fine_tuning]


def draw_curves(out: Path, arms: Sequence[Arm], seeds: Sequence[int], path: Path) -> None:
    """Plot reward, accuracy, temporal gap and completion length over the steps.

    Each seed is a thin line, the running mean over all seeds a thick one.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with importing("matplotlib", "train"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 2).flatten()
    for arm in rl_arms(arms):
        folders = [out / f"seed-{seed}" / arm.name for seed in seeds]
        runs = [read_timeline(folder, folder) for folder in folders]
        for axis, panel in zip(axes, _PANELS, strict=True):
            _draw_panel(axis, panel, arm, runs)
    for axis, panel in zip(axes, _PANELS, strict=True):
        axis.set(title=panel.title, xlabel="step", ylabel=panel.unit)
        if panel.metric == GAP:
            axis.axhline(0, color="grey", linewidth=0.8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    save_figure(figure, path)


def _draw_panel(axis: Any, panel: _Panel, arm: Arm, runs: Sequence[Timeline]) -> None:
    colour = f"C{ARMS.index(arm)}"
    for run in runs:
        axis.plot(*run.curve(panel.metric), color=colour, alpha=0.2, linewidth=0.6)
    axis.plot(*_mean_curve(runs, panel.metric), color=colour, label=arm.title)
    if panel.second_metric is not None:
        axis.plot(*_mean_curve(runs, panel.second_metric), color=colour, linestyle="--")


def _mean_curve(runs: Sequence[Timeline], metric: str) -> tuple[list[int], list[float]]:
    """Return steps and the running mean of the mean over the seeds that logged each step."""
    values: defaultdict[int, list[float]] = defaultdict(list)
    for run in runs:
        for step, value in zip(*run.curve(metric), strict=True):
            values[step].append(value)
    steps = sorted(values)
    return steps, running_mean([fmean(values[step]) for step in steps])
