"""Lays out the metrics of a training as curves for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.runs.phase_times import PREFIX
from trainer.watch.timeline import Timeline, running_mean

WIDTH, HEIGHT, LEFT, BOTTOM = 420, 150, 60, 128
_MOST_POINTS = 300
_FIRST = (
    "reward", "rewards/", "accuracy/", "temporal/", "loss", "kl", "entropy", "grad_norm",
    "learning_rate", "truncated", "completions/mean_length", "tokens_per_second", "mfu",
    f"{PREFIX}update",
)  # fmt: skip
"""Metrics in the order of the page, a slash for all that begin so; others come after them."""
_HIDDEN = ("step", "epoch", "num_tokens", "total_flos", "train_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric over the updates, in the coordinates of a picture of `WIDTH` x `HEIGHT`."""

    name: str
    is_main: bool
    steps: tuple[int, int]
    low: float
    high: float
    last: float
    raw: str
    """Points of a polyline."""
    smooth: str
    """The running mean over 20 values."""


def make_curves(timeline: Timeline) -> list[Curve]:
    """Return the curves of all metrics with numbers, the most telling ones first."""
    names = dict.fromkeys(
        name
        for line in timeline.metrics
        for name, value in line.items()
        if isinstance(value, int | float) and not name.startswith(_HIDDEN)
    )
    return [
        curve
        for name in sorted(names, key=_rank)
        if (curve := _make_curve(name, *timeline.curve(name))) is not None
    ]


def _rank(name: str) -> tuple[int, str]:
    found = [
        at
        for at, first in enumerate(_FIRST)
        if name == first or (first.endswith("/") and name.startswith(first))
    ]
    return (found[0] if found else len(_FIRST)), name


def _make_curve(name: str, steps: Sequence[int], values: Sequence[float]) -> Curve | None:
    if not values:
        return None
    low, high = min(values), max(values)
    return Curve(
        name=name,
        is_main=_rank(name)[0] < len(_FIRST) and not name.endswith("/std"),
        steps=(steps[0], steps[-1]),
        low=low,
        high=high,
        last=values[-1],
        raw=_lay_out(steps, values, low, high),
        smooth=_lay_out(steps, running_mean(values), low, high),
    )


def _lay_out(steps: Sequence[int], values: Sequence[float], low: float, high: float) -> str:
    every = -(-len(values) // _MOST_POINTS)
    wide, tall = max(1, steps[-1] - steps[0]), (high - low) or 1.0
    points = [
        (
            LEFT + (WIDTH - LEFT - 8) * (step - steps[0]) / wide,
            BOTTOM - (BOTTOM - 8) * (value - low) / tall,
        )
        for step, value in zip(steps[::every], values[::every], strict=True)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def mean_rewards(groups: Iterable[Mapping[str, Any]]) -> dict[int, float | None]:
    """Return the mean reward of the ordered completions of each step."""
    found: dict[int, list[float]] = {}
    for group in groups:
        rewards = [one["reward"] for one in group["ordered"] if one["reward"] is not None]
        found.setdefault(group["step"], []).extend(rewards)
    return {step: sum(all_) / len(all_) if all_ else None for step, all_ in found.items()}
