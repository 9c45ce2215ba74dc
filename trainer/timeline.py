"""How a training run went: scores of its checkpoints with intervals, reward and temporal gap.

Everything is read from disk: the looks of ``videor1 watch`` and the metrics of the run. Several
watches share one plot, for example GRPO and T-GRPO from the same start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import missing_extra
from trainer.looks import Look, TaskScore, read_looks

if TYPE_CHECKING:
    from rich.console import Console

METRICS = "metrics.jsonl"
REWARD, GAP = "reward", "temporal/gap"
"""Names of the training's own metrics."""

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
    """Read the looks in a watch's folder and the metrics of the run it watches."""
    metrics: list[Mapping[str, Any]] = []
    path = None if run is None else run / METRICS
    if path is not None and path.exists():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        metrics = [json.loads(line) for line in lines]
    return Timeline(name=out.name, looks=read_looks(out), metrics=metrics)


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Print a line per look: scores with 95 % intervals, reward, temporal gap, verdict."""
    from rich import box
    from rich.table import Table

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


def plot(timelines: Sequence[Timeline], path: Path) -> None:
    """Draw a panel per benchmark, one for the reward and one for the temporal gap.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "train") from None
    tasks = list(dict.fromkeys(task for timeline in timelines for task in timeline.tasks))
    curves = [m for m in (REWARD, GAP) if any(timeline.curve(m)[0] for timeline in timelines)]
    rows = -(-len(tasks + curves) // _COLUMNS)
    figure = Figure(figsize=(_SIZE[0] * _COLUMNS, _SIZE[1] * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for task in tasks:
        _draw_scores(next(panels), task, timelines)
    for metric in curves:
        _draw_metric(next(panels), metric, timelines)
    for empty in panels:
        empty.set_axis_off()
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, dpi=120, format=path.suffix.removeprefix(".") or "png")
    beside.replace(path)


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
        shown = [look for look in timeline.looks if timeline.mean_until(metric, look) is not None]
        means = [timeline.mean_until(metric, look) for look in shown]
        panel.plot(
            [look.step for look in shown], means, color=f"C{number}", marker="o",
            label=timeline.name,
        )  # fmt: skip
    if metric == GAP:
        panel.axhline(0, color="grey", linewidth=0.8)
    _label(panel, {GAP: "accuracy, ordered - shuffled"}.get(metric, metric), "in training")


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
