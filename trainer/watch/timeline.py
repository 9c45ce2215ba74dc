"""Read how a training run went: scores of its checkpoints, metrics, and how much they improved.

Everything is read from disk: the evaluated checkpoints of ``videor1 watch`` and the metrics of the
run. A run that was not watched has metrics alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from trainer.rewards.advantages import Effect
from trainer.runs.effects import read_effects
from trainer.runs.step_lines import read_metrics
from trainer.watch.evaluations import EvalPoint, read_points

REWARD, ACCURACY, GAP = "reward", "rewards/accuracy/mean", "temporal/gap"
"""Names of metrics in ``metrics.jsonl``."""

_WINDOW = 20
"""Values in a running mean."""

_COMPARED_SHARE = 0.2
"""Share of the steps at the start and at the end that `metric_gain` compares."""

_MIN_STEPS = 5
"""Fewest steps on each side for which `metric_gain` gives a result."""

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One training run and its evaluated checkpoints."""

    name: str
    points: Sequence[EvalPoint]
    """By step; empty for a run that was not watched."""
    metrics: Sequence[Mapping[str, Any]]
    """One mapping per log of the training, with its ``step``."""

    @property
    def tasks(self) -> list[str]:
        """Benchmarks with a score, in the order of first appearance."""
        return list(dict.fromkeys(task for point in self.points for task in point.scores))

    @property
    def effects(self) -> dict[str, Effect]:
        """Mean effect of each reward on the advantages, over all updates."""
        return read_effects(self.metrics)

    def curve(self, metric: str) -> tuple[list[int], list[float]]:
        """Return the steps and values of a training metric."""
        known = [(m["step"], m[metric]) for m in self.metrics if m.get(metric) is not None]
        return [step for step, _ in known], [value for _, value in known]

    def mean_until(self, metric: str, point: EvalPoint) -> float | None:
        """Return the mean of a metric over the steps since the previous evaluated checkpoint."""
        before = max((other.step for other in self.points if other.step < point.step), default=-1)
        steps, values = self.curve(metric)
        since = [v for step, v in zip(steps, values, strict=True) if before < step <= point.step]
        return sum(since) / len(since) if since else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGain:
    """The mean of a metric at the start and at the end of a training."""

    steps: int
    """Steps averaged on each side."""
    first: float
    last: float
    ci95: tuple[float, float]
    """Of the difference."""

    @property
    def difference(self) -> float:
        """Mean of the last updates minus mean of the first ones, in the unit of the metric."""
        return self.last - self.first


def read_timeline(out: Path, run: Path | None) -> Timeline:
    """Read the evaluated checkpoints in a watch's folder, if any, and the metrics of a run."""
    metrics = [] if run is None else read_metrics(run)
    return Timeline(name=out.name, points=read_points(out), metrics=metrics)


def metric_gain(values: Sequence[float]) -> MetricGain | None:
    """Compare the last fifth of a metric's values with the first; None where there are too few.

    The interval is ``difference +- 1.96 sqrt(var(first) / n + var(last) / n)``.
    """
    count = math.floor(len(values) * _COMPARED_SHARE)
    if count < _MIN_STEPS:
        return None
    first, last = values[:count], values[-count:]
    half = _Z * math.sqrt((variance(first) + variance(last)) / count)
    difference = fmean(last) - fmean(first)
    return MetricGain(
        steps=count,
        first=fmean(first),
        last=fmean(last),
        ci95=(difference - half, difference + half),
    )


def running_mean(values: Sequence[float]) -> list[float]:
    """Return for every value the mean of it and up to 19 values before it."""
    recent = (values[max(0, at - _WINDOW) : at] for at in range(1, len(values) + 1))
    return [fmean(window) for window in recent]
