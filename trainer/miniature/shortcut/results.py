"""Read the evaluations of the shortcut experiment: the final ones, and those of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from trainer.miniature.arms import Arm
from trainer.miniature.evaluations import read_evaluations
from trainer.miniature.experiment import Experiment
from trainer.miniature.results import Results
from trainer.miniature.shortcut.arms import ShortcutArms
from trainer.miniature.shortcut.questions import Finding, answer_questions, summarize
from trainer.miniature.shortcut.times import UpdateTime, read_times


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortcutResults:
    """Everything that the report of the shortcut experiment shows."""

    arms: ShortcutArms
    test: Results
    """The last checkpoint of every arm on the test split."""
    dev: Mapping[tuple[str, int], Results]
    """Every checkpoint on the development split, by name of the arm and update."""
    findings: tuple[Finding, ...]
    margin: float
    """Points below which a difference does not matter."""
    times: tuple[UpdateTime, ...]

    @property
    def summary(self) -> str:
        """The answers in one line."""
        return summarize(self.findings)

    def steps(self, arm: Arm) -> list[int]:
        """Return the updates after which an arm was evaluated."""
        return sorted(step for name, step in self.dev if name == arm.name)


def read_results(experiment: Experiment, arms: ShortcutArms) -> ShortcutResults:
    """Read all evaluations and training times of an experiment.

    Raises:
        DatasetError: A question has no answer.
        RunMismatchError: Runs that are compared differ in protocol or data.
        UsageError: A run is missing.
    """
    read = partial(
        read_evaluations, experiment.out, experiment.seeds, variants=experiment.study.variants
    )
    test = Results(read(experiment.arms, run_folder=experiment.test_run))
    dev = {
        (arm.name, step): Results(
            read([arm], split="dev", run_folder=partial(experiment.dev_run, step))
        )
        for arm in experiment.arms
        for step in experiment.probed_steps(experiment.seeds[0], arm)
    }
    return ShortcutResults(
        arms=arms,
        test=test,
        dev=dev,
        findings=answer_questions(test, arms, experiment.settings.margin),
        margin=experiment.settings.margin,
        times=read_times(experiment, arms),
    )
