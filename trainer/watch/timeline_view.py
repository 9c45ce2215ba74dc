"""Print and plot timelines; several share one plot, for example GRPO and T-GRPO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.files import write_atomically
from harness.plugins import importing
from harness.text.shown import for_terminal
from trainer.runs.effects import describe_effects, metric_of, percent
from trainer.watch.evaluations import TaskScore
from trainer.watch.timeline import (
    ACCURACY,
    GAP,
    REWARD,
    Timeline,
    metric_gain,
    running_mean,
)

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = 2
_PANEL_SIZE = (5.0, 3.0)
"""Width and height of one panel, in inches."""


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Print the gain of reward and accuracy, then a line per evaluated checkpoint.

    A line has the scores with 95 % intervals, reward, temporal gap, what each reward does to the
    advantages, and verdict.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    _print_gains(console, timeline)
    if timeline.effects:
        described = describe_effects(timeline.effects)
        console.print(f"{timeline.name}: {described}", soft_wrap=True)
    if not timeline.points:
        return
    table = Table(box=box.SIMPLE_HEAD, title=timeline.name, title_justify="left")
    table.add_column("step", justify="right", style="bold")
    changes = [(f"change by {name}", metric_of(name)) for name in timeline.effects]
    for name in (*timeline.tasks, "reward", "gap", *(heading for heading, _ in changes)):
        table.add_column(Text(for_terminal(name)), justify="right", no_wrap=True)
    table.add_column("verdict", style="bold")
    for point in timeline.points:
        scores = (_format_score(point.scores.get(task)) for task in timeline.tasks)
        means = (_format_metric(timeline.mean_until(metric, point)) for metric in (REWARD, GAP))
        shares = (_format_share(timeline.mean_until(metric, point)) for _, metric in changes)
        verdict = point.verdict or ("start" if point.step == 0 else "-")
        table.add_row(str(point.step), *scores, *means, *shares, verdict)
    console.print(table)


def plot(timelines: Sequence[Timeline], path: Path) -> None:
    """Draw a panel per benchmark, and one each for reward, accuracy and temporal gap.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to plot yet.
    """
    with importing("matplotlib", "train"):
        from matplotlib.figure import Figure
    tasks = list(dict.fromkeys(task for timeline in timelines for task in timeline.tasks))
    metrics = [
        metric
        for metric in (REWARD, ACCURACY, GAP)
        if any(timeline.curve(metric)[0] for timeline in timelines)
    ]
    if not tasks + metrics:
        raise UsageError(f"{', '.join(timeline.name for timeline in timelines)}: nothing to plot")
    rows = -(-len(tasks + metrics) // _COLUMNS)
    size = (_PANEL_SIZE[0] * _COLUMNS, _PANEL_SIZE[1] * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for task in tasks:
        _draw_scores(next(panels), task, timelines)
    for metric in metrics:
        _draw_metric(next(panels), metric, timelines)
    for empty in panels:
        empty.set_axis_off()
    save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure; readers see the old picture or the new one."""
    picture_format = path.suffix.removeprefix(".") or "png"
    write_atomically(
        path, lambda temporary: figure.savefig(temporary, dpi=120, format=picture_format)
    )


def _print_gains(console: Console, timeline: Timeline) -> None:
    for metric in (REWARD, ACCURACY):
        gain = metric_gain(timeline.curve(metric)[1])
        if gain is not None:
            low, high = gain.ci95
            console.print(
                f"{timeline.name}: {metric} {gain.first:.3f} -> {gain.last:.3f}, gain"
                f" {gain.difference:+.3f} [{low:+.3f}, {high:+.3f}] (first and last"
                f" {gain.steps} steps)",
                soft_wrap=True,
            )  # fmt: skip


def _draw_scores(panel: Any, task: str, timelines: Sequence[Timeline]) -> None:
    for number, timeline in enumerate(timelines):
        known = [
            (point.step, score.score, score.ci95)
            for point in timeline.points
            if (score := point.scores.get(task)) is not None and score.score is not None
        ]
        if not known:
            continue
        middle = [score for _, score, _ in known]
        bounds = [(score, score) if ci95 is None else ci95 for _, score, ci95 in known]
        below = [score - low for score, (low, _) in zip(middle, bounds, strict=True)]
        above = [high - score for score, (_, high) in zip(middle, bounds, strict=True)]
        panel.errorbar(
            [step for step, _, _ in known], middle, yerr=[below, above],
            color=f"C{number}", marker="o", capsize=3, label=timeline.name,
        )  # fmt: skip
    _label_panel(panel, task, "score, 95 % interval")


def _draw_metric(panel: Any, metric: str, timelines: Sequence[Timeline]) -> None:
    for number, timeline in enumerate(timelines):
        steps, values = timeline.curve(metric)
        panel.plot(steps, values, color=f"C{number}", alpha=0.3, linewidth=0.8)
        mean_steps, means = _mean_curve(timeline, metric)
        marker = "o" if timeline.points else None
        panel.plot(mean_steps, means, color=f"C{number}", marker=marker, label=timeline.name)
    if metric == GAP:
        panel.axhline(0, color="grey", linewidth=0.8)
    title = {GAP: "accuracy, ordered - shuffled", ACCURACY: "accuracy"}.get(metric, metric)
    _label_panel(panel, title, "in training")


def _mean_curve(timeline: Timeline, metric: str) -> tuple[Sequence[int], Sequence[float]]:
    """Return means between evaluated checkpoints; a running mean for a run without any."""
    if timeline.points:
        means = {point.step: timeline.mean_until(metric, point) for point in timeline.points}
        known = {step: mean for step, mean in means.items() if mean is not None}
        return list(known), list(known.values())
    steps, values = timeline.curve(metric)
    return steps, running_mean(values)


def _label_panel(panel: Any, title: str, y_label: str) -> None:
    panel.set_title(title)
    panel.set_xlabel("step")
    panel.set_ylabel(y_label)
    panel.legend()


def _format_score(score: TaskScore | None) -> str:
    if score is None or score.score is None:
        return "-"
    interval = "" if score.ci95 is None else f" [{score.ci95[0]:.1f}, {score.ci95[1]:.1f}]"
    return f"{score.score:.1f}{interval}"


def _format_share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _format_metric(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
