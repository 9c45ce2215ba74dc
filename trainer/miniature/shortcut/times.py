"""Read how long an update takes with each algorithm, from the logs of the trainings."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from harness.files import read_json_lines
from trainer.miniature.experiment import Experiment
from trainer.miniature.shortcut.arms import ShortcutArms
from trainer.runs.folder import METRICS

_SECONDS = "step_time"
"""TRL's metric: seconds of sampling, rewards and gradient of an update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTime:
    """The time of an update with one algorithm."""

    algorithm: str
    seconds: float
    """Median over updates, shares and seeds."""
    updates: int


def read_times(experiment: Experiment, arms: ShortcutArms) -> tuple[UpdateTime, ...]:
    """Return the median seconds per update of every algorithm that was trained."""
    found = []
    for name in arms.algorithms:
        trained = [arm for arm in experiment.arms if arm.algorithm.name == name]
        seconds = [
            line[_SECONDS]
            for arm in trained
            for seed in experiment.seeds
            for _, line in read_json_lines(experiment.run(seed, arm) / METRICS)
            if _SECONDS in line
        ]
        if seconds:
            found.append(UpdateTime(algorithm=name, seconds=median(seconds), updates=len(seconds)))
    return tuple(found)
