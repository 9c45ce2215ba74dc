"""A finished or interrupted run as Python objects: scores, records, manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DatasetError
from harness.replicas.standing import ReplicaState
from harness.run.replica_accounts import states_of
from harness.run.samples_file import StoredSamples, read_samples
from harness.run.store import SUMMARY, read_manifest, read_records, records_frame
from harness.run.summary_shape import read_accounts, read_summary
from harness.run.timing import Timing, read_timing
from harness.schema import RepeatFigure, RepeatSummary, TaskSummary

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """One run directory, read when asked for; usable wherever a run directory's path is.

    Args:
        folder: A run directory that ``videor1 eval`` or `harness.evaluate` wrote.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        scores = ", ".join(
            f"{name} {'-' if one.score is None else f'{one.score:.1f}'}"
            for name, one in self.scores.items()
        )
        return f"Run({str(self.folder)!r}: {scores or 'not finished'})"

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """``run.json``: model, protocols, data, packages, command line."""
        return read_manifest(self.folder)

    @cached_property
    def scores(self) -> Mapping[str, TaskSummary]:
        """Score, interval and outcomes per task; empty for a run that has not finished."""
        return {
            name: _read_task_summary(fields, self.folder)
            for name, fields in self._summary.get("tasks", {}).items()
        }

    @cached_property
    def timing(self) -> Timing | None:
        """Where the time of the last invocation went; None where it is not known."""
        return read_timing(self._summary.get("timing"))

    @cached_property
    def replicas(self) -> tuple[ReplicaState, ...]:
        """What each replica of the run did, those of earlier invocations first."""
        return states_of(read_accounts(self.folder / SUMMARY))

    def samples(self) -> StoredSamples:
        """Return the questions as they were asked, by id; `lacking` says what is missing."""
        return read_samples(self.folder)

    def records(self) -> pd.DataFrame:
        """Return one row per item and repeat; frame indices and timestamps are lists."""
        return records_frame(read_records(self.folder))

    @cached_property
    def _summary(self) -> Mapping[str, Any]:
        path = self.folder / SUMMARY
        if not path.exists():
            return {}
        return read_summary(path)


def load_run(folder: str | Path) -> Run:
    """Read a run directory, without its data and without an engine.

    Raises:
        UsageError: The folder is not a run directory.
    """
    run = Run(folder)
    _ = run.manifest  # refuses any other folder now
    return run


def _read_repeats(fields: Mapping[str, Any]) -> RepeatSummary:
    figures = {k: _read_figure(one) for k, one in fields["pass_at"].items()}
    others = {name: _read_figure(fields[name]) for name in ("majority", "changed")}
    return RepeatSummary(**{**fields, **others, "pass_at": figures})


def _read_figure(fields: Mapping[str, Any] | None) -> RepeatFigure | None:
    if fields is None:
        return None
    return RepeatFigure(**{**fields, "ci95": _as_pair(fields["ci95"])})


def _as_pair(interval: Sequence[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])


def _read_task_summary(fields: Mapping[str, Any], folder: Path) -> TaskSummary:
    try:
        known = {**fields, "ci95": _as_pair(fields["ci95"])}
        if fields.get("repeats") is not None:
            known["repeats"] = _read_repeats(fields["repeats"])
        return TaskSummary(**known)
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise DatasetError(f"{folder / SUMMARY}: not a summary of this program: {error}") from None
