"""How a training run went: scores of its checkpoints with intervals, reward and temporal gap.

Everything is read from disk: the looks of ``videor1 watch`` and the metrics of the run. A run that
nothing watched has its metrics only. Several share one plot, for example GRPO and T-GRPO from the
same start.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, missing_extra
from harness.files import read_json_lines, write_atomically
from trainer.runs.folder import METRICS
from trainer.watch.evaluations import (
    Look,
    TaskScore,
    read_looks,
)

if TYPE_CHECKING:
    from rich.console import Console

REWARD, ACCURACY, GAP = "reward", "rewards/accuracy/mean", "temporal/gap"
"""Names of the training's own metrics."""

_WINDOW = 20
"""Steps that the line of an unwatched run is averaged over."""

_COLUMNS = 2
_SIZE = (5.0, 3.0)
"""Width and height of one panel in inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One training run and the looks at its checkpoints."""

    name: str
    looks: Sequence[Look]
    metrics: Sequence[Mapping[str, Any]]
    """One mapping per log of the training, with its ``step``."""

    @property
    def tasks(self) -> list[str]:
        """Benchmarks, in the order of the looks."""
        return list(dict.fromkeys(task for look in self.looks for task in look.scores))

    def curve(self, metric: str) -> tuple[list[int], list[float]]:
        """Return the steps and values of a metric of the training."""
        points = [(m["step"], m[metric]) for m in self.metrics if m.get(metric) is not None]
        return [step for step, _ in points], [value for _, value in points]

    def mean_until(self, metric: str, look: Look) -> float | None:
        """Return the mean of a metric over the steps since the look before, None without any."""
        before = max((other.step for other in self.looks if other.step < look.step), default=-1)
        steps, values = self.curve(metric)
        since = [v for step, v in zip(steps, values, strict=True) if before < step <= look.step]
        return sum(since) / len(since) if since else None


def read_timeline(out: Path, run: Path | None) -> Timeline:
    """Read the looks in a watch's folder, if there are any, and the metrics of a run."""
    metrics: list[Mapping[str, Any]] = []
    path = None if run is None else run / METRICS
    if path is not None and path.exists():
        metrics = [line for _, line in read_json_lines(path)]
    return Timeline(name=out.name, looks=read_looks(out), metrics=metrics)


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Print a line per look: scores with 95 % intervals, reward, temporal gap, verdict.

    Below it: by how much reward and accuracy rose in training.
    """
    from rich import box
    from rich.table import Table

    _print_rises(console, timeline)
    if not timeline.looks:
        return
    table = Table(box=box.SIMPLE_HEAD, title=timeline.name, title_justify="left")
    table.add_column("step", justify="right", style="bold")
    for name in (*timeline.tasks, "reward", "gap"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", style="bold")
    for look in timeline.looks:
        scores = (_cell(look.scores.get(task)) for task in timeline.tasks)
        means = (_number(timeline.mean_until(metric, look)) for metric in (REWARD, GAP))
        verdict = look.judgement or ("start" if look.step == 0 else "-")
        table.add_row(str(look.step), *scores, *means, verdict)
    console.print(table)


def _print_rises(console: Console, timeline: Timeline) -> None:
    for metric in (REWARD, ACCURACY):
        found = rise(timeline.curve(metric)[1])
        if found is not None:
            low, high = found.ci95
            console.print(
                f"{timeline.name}: {metric} {found.first:.3f} -> {found.last:.3f}, rise"
                f" {found.difference:+.3f} [{low:+.3f}, {high:+.3f}] (first and last"
                f" {found.steps} steps)",
                markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip


def plot(timelines: Sequence[Timeline], path: Path) -> None:
    """Draw a panel per benchmark, and one each for reward, accuracy and temporal gap.

    Raises:
        UsageError: matplotlib is not installed, or nothing was measured yet.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "train") from None
    tasks = list(dict.fromkeys(task for timeline in timelines for task in timeline.tasks))
    curves = [
        metric
        for metric in (REWARD, ACCURACY, GAP)
        if any(timeline.curve(metric)[0] for timeline in timelines)
    ]
    if not tasks + curves:
        raise UsageError(f"{', '.join(timeline.name for timeline in timelines)}: nothing to plot")
    rows = -(-len(tasks + curves) // _COLUMNS)
    figure = Figure(figsize=(_SIZE[0] * _COLUMNS, _SIZE[1] * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for task in tasks:
        _draw_scores(next(panels), task, timelines)
    for metric in curves:
        _draw_metric(next(panels), metric, timelines)
    for empty in panels:
        empty.set_axis_off()
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a matplotlib figure so that readers see the old or the new picture."""
    picture_format = path.suffix.removeprefix(".") or "png"
    write_atomically(
        path, lambda temporary: figure.savefig(temporary, dpi=120, format=picture_format)
    )


def running_mean(values: Sequence[float]) -> list[float]:
    """Average every value with those before it, `_WINDOW` of them where there are so many."""
    recent = (values[max(0, at - _WINDOW) : at] for at in range(1, len(values) + 1))
    return [fmean(window) for window in recent]


def _draw_scores(panel: Any, task: str, timelines: Sequence[Timeline]) -> None:
    for number, timeline in enumerate(timelines):
        shown = [
            (look.step, score.score, score.ci95)
            for look in timeline.looks
            if (score := look.scores.get(task)) is not None and score.score is not None
        ]
        if not shown:
            continue
        middle = [score for _, score, _ in shown]
        bounds = [(score, score) if ci95 is None else ci95 for _, score, ci95 in shown]
        below = [score - low for score, (low, _) in zip(middle, bounds, strict=True)]
        above = [high - score for score, (_, high) in zip(middle, bounds, strict=True)]
        panel.errorbar(
            [step for step, _, _ in shown], middle, yerr=[below, above],
            color=f"C{number}", marker="o", capsize=3, label=timeline.name,
        )  # fmt: skip
    _label(panel, task, "score, 95 % interval")


def _draw_metric(panel: Any, metric: str, timelines: Sequence[Timeline]) -> None:
    for number, timeline in enumerate(timelines):
        steps, values = timeline.curve(metric)
        panel.plot(steps, values, color=f"C{number}", alpha=0.3, linewidth=0.8)
        where, means = _smoothed(timeline, metric)
        marker = "o" if timeline.looks else None
        panel.plot(where, means, color=f"C{number}", marker=marker, label=timeline.name)
    if metric == GAP:
        panel.axhline(0, color="grey", linewidth=0.8)
    title = {GAP: "accuracy, ordered - shuffled", ACCURACY: "accuracy"}.get(metric, metric)
    _label(panel, title, "in training")


def _smoothed(timeline: Timeline, metric: str) -> tuple[Sequence[int], Sequence[float]]:
    """Return the mean since the look before at each look, or without looks a running mean."""
    if timeline.looks:
        means = {look.step: timeline.mean_until(metric, look) for look in timeline.looks}
        known = {step: mean for step, mean in means.items() if mean is not None}
        return list(known), list(known.values())
    steps, values = timeline.curve(metric)
    return steps, running_mean(values)


def _label(panel: Any, title: str, what: str) -> None:
    panel.set_title(title)
    panel.set_xlabel("step")
    panel.set_ylabel(what)
    panel.legend()


def _cell(score: TaskScore | None) -> str:
    if score is None or score.score is None:
        return "-"
    interval = "" if score.ci95 is None else f" [{score.ci95[0]:.1f}, {score.ci95[1]:.1f}]"
    return f"{score.score:.1f}{interval}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


SHARE = 0.2

"""Of the steps: as many at the start and at the end are compared."""

_LEAST = 5

"""Steps on each side without which nothing is said."""

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """Two means and their difference."""

    steps: int
    """Steps averaged at the start, and as many at the end."""
    first: float
    last: float
    ci95: tuple[float, float]
    """Of the difference."""

    @property
    def difference(self) -> float:
        """Last minus first."""
        return self.last - self.first


def rise(values: Sequence[float]) -> Rise | None:
    """Compare the last fifth of a metric with the first; None where there are too few steps.

    The interval is ``difference +- 1.96 sqrt(var(first) / n + var(last) / n)``.
    """
    count = math.floor(len(values) * SHARE)
    if count < _LEAST:
        return None
    first, last = values[:count], values[-count:]
    half = _Z * math.sqrt((variance(first) + variance(last)) / count)
    difference = fmean(last) - fmean(first)
    return Rise(
        steps=count,
        first=fmean(first),
        last=fmean(last),
        ci95=(difference - half, difference + half),
    )
