"""Defines what a tracker is and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """What a tracker is told of a run when it starts."""

    project: str
    name: str
    id: str
    """The same for the same run directory, so that a resumed run goes on where it was."""
    folder: Path
    """The run directory; trackers that write files write them below it."""
    config: Mapping[str, Any]
    """Checkpoint, protocol, data, engine and versions, as JSON types, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTable:
    """A table of single items."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


class Tracker(Protocol):
    """One started tracker; anything it raises is counted and never ends a command."""

    def log_scores(self, scores: Mapping[str, float], step: int) -> None:
        """Send numbers by name; names have ``/`` between their parts."""

    def log_table(self, table: ItemTable, step: int) -> None:
        """Send a table; every text in it is shown as text."""

    def close(self, *, failed: bool) -> None:
        """Send what is left and end the run, as failed where the command did not end well."""


class StartTracker(Protocol):
    """Starts a tracker; the function that each module of this room provides."""

    def __call__(self, run: TrackedRun) -> Tracker:
        """Start or go on with a run.

        Raises:
            UsageError: The package is not installed, or there is no key.
        """
