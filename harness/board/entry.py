"""Holds what a board needs of one run: its settings, its item values and its summaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.probe.config import OPTIONS
from harness.schema import Outcome, Variant

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

REPEAT = "repeat"
"""The field of a record that tables of schema 1 do not have."""
COLUMNS = ("id", "task", "cluster", "category", "value", "outcome", REPEAT)
"""Fields of a record that a board reads."""

Setting = Mapping[str, Any]
"""What two runs of a task must share to be compared: selection, protocol and data."""


@dataclass(frozen=True, slots=True)
class Items:
    """Which questions were answered, by id; runs of the same questions share one object."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Answers:
    """The records of one task of a run, in the order of their ids."""

    items: Items
    values: NDArray[np.float64]
    """0 to 1, the mean over an item's repeats; NaN where all failed or the scorer leaves it out."""
    outcomes: Mapping[str, int]
    """Number of records per outcome."""
    failed_items: int = 0
    """Items that failed at every repeat."""

    @property
    def n_records(self) -> int:
        """Number of records: items times repeats, where none is missing."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One run on a board, or several of one checkpoint that are one row."""

    folder: Path
    model: str
    protocol: str
    """Hash over all tasks of the run."""
    created: str
    settings: Mapping[str, Setting]
    answers: Mapping[str, Answers]
    summaries: Mapping[str, Any]
    """``summary.json``, task by task; empty without one."""
    partial: Mapping[str, str] = field(default_factory=dict)
    """Tasks of which only a part was asked, with ``4 of 128 questions``."""
    numeric: Mapping[str, Any] = field(default_factory=dict)
    """Engine settings that can change an answer and differ from the defaults."""
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    """What tells the checkpoint from any other."""
    backend: str = ""
    local: Mapping[str, Any] = field(default_factory=dict)
    """What the run keeps of its local benchmarks, by task."""
    joined: tuple[Path, ...] = ()
    """Folders of further runs whose tasks are part of this row."""
    homes: Mapping[str, Path] = field(default_factory=dict)
    """Folders of tasks that are not those of the first run."""
    label: str | None = None
    """Name that the user gave the row; None: the model's."""

    def home(self, task: str) -> Path:
        """Return the folder of the run that holds a task."""
        return self.homes.get(task, self.folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all runs of the row."""
        return self.folder, *self.joined

    @property
    def variant(self) -> str:
        """The frame order, such as ``shuffled``, or ``options`` where options were moved.

        Several are joined by ``+`` where tasks differ.
        """
        orders = {
            OPTIONS if setting["protocol"].get("option_rotation") else frames["order"]
            for setting in self.settings.values()
            if (frames := setting["protocol"]["frames"])
        }
        return "+".join(sorted(orders)) or Variant.ORDERED.value

    @property
    def frames(self) -> str:
        """The largest number of frames per video; several joined by ``/`` where tasks differ."""
        caps = {str(frames["max_frames"]): None for frames in self._frames() if frames}
        return "/".join(caps) or "-"

    def _frames(self) -> Iterable[Mapping[str, Any] | None]:
        return (setting["protocol"]["frames"] for setting in self.settings.values())


def schema() -> pa.Schema:
    """Return the Arrow schema of the columns that a board reads."""
    import pyarrow as pa

    types = {"value": pa.float64(), REPEAT: pa.int64()}
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])


def make_answers(table: pa.Table, task: str, known: dict[Items, Items]) -> Answers:
    """Return one task's rows of a records table.

    Args:
        table: The records of a run with the columns `COLUMNS`.
        task: Name of the task.
        known: Items seen so far; equal ones are replaced by the first, so that runs share them.
    """
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table["task"], task)).sort_by("id")
    ids, clusters, categories, outcomes = (
        rows[name].to_pylist() for name in ("id", "cluster", "category", "outcome")
    )
    firsts = [at for at, name in enumerate(ids) if at == 0 or ids[at - 1] != name]
    items = Items(*(tuple(texts[at] for at in firsts) for texts in (ids, clusters, categories)))
    values = rows["value"].to_numpy().astype(np.float64)
    counts = Counter(outcomes)
    failed = np.array([outcome == Outcome.FAILED for outcome in outcomes], dtype=bool)
    return Answers(
        items=known.setdefault(items, items),
        values=_mean_per_item(values, firsts),
        outcomes={outcome.value: counts[outcome.value] for outcome in Outcome},
        failed_items=int(np.logical_and.reduceat(failed, firsts).sum()) if firsts else 0,
    )


def _mean_per_item(values: NDArray[np.float64], firsts: list[int]) -> NDArray[np.float64]:
    """Return the mean of each item's values that are numbers, NaN where none is.

    Args:
        values: Values of all records, those of an item in a row.
        firsts: Position of each item's first record.
    """
    if len(firsts) == len(values):
        return values
    known = ~np.isnan(values)
    counts = np.add.reduceat(known.astype(np.float64), firsts)
    sums = np.add.reduceat(np.where(known, values, 0.0), firsts)
    return np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
