"""Find the study that settings name, and conclude it: read the evaluations, write the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.miniature.settings import MiniatureSettings
from trainer.miniature.shortcut.arms import ShortcutArms
from trainer.miniature.study import ABLATION, Study

if TYPE_CHECKING:
    from harness.board.table import Table
    from trainer.miniature.experiment import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What an experiment found."""

    summary: str
    """Its verdicts in one line."""
    tables: list[Table]
    files: list[Path]
    """The written report."""


def find_study(settings: MiniatureSettings) -> Study:
    """Return the study that the settings name."""
    return ABLATION if settings.dataset.marks is None else shortcut_arms(settings).study


def shortcut_arms(settings: MiniatureSettings) -> ShortcutArms:
    """Return the arms of the shortcut study."""
    assert settings.dataset.marks is not None
    return ShortcutArms(
        algorithms=settings.algorithms,
        agreements=tuple(sorted(settings.dataset.marks.agreements)),
    )


def conclude(experiment: Experiment) -> Conclusion:
    """Read the finished evaluations, write the report, and return what was found.

    Raises:
        DatasetError: A question has no answer.
        RunMismatchError: Evaluations that are compared differ in protocol or data.
        UsageError: An evaluation is missing, or matplotlib is not installed.
    """
    if experiment.settings.study == "shortcut":
        return _conclude_shortcut(experiment)
    return _conclude_ablation(experiment)


def _conclude_ablation(experiment: Experiment) -> Conclusion:
    from trainer.miniature.evaluations import read_evaluations
    from trainer.miniature.hypotheses import decide, summarize
    from trainer.miniature.report import report_tables, write_report
    from trainer.miniature.results import AblationResults

    results = AblationResults(read_evaluations(experiment.out, experiment.seeds, experiment.arms))
    files = write_report(experiment.out, results)
    return Conclusion(
        summary=summarize(decide(results)), tables=report_tables(results), files=files
    )


def _conclude_shortcut(experiment: Experiment) -> Conclusion:
    from trainer.miniature.shortcut.report import report_tables, write_report
    from trainer.miniature.shortcut.results import read_results

    results = read_results(experiment, shortcut_arms(experiment.settings))
    files = write_report(experiment.out, results)
    return Conclusion(summary=results.summary, tables=report_tables(results), files=files)
