"""Holds a finished board: its rows with their scores, ranks, and the reasons not to rank some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.board.cells import Cell
from harness.board.figures import AVERAGE, Column, Figure
from harness.board.published import PublishedScore

if TYPE_CHECKING:
    import pandas as pd

RANKED, NOT_RANKED = "ranked", "not ranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One checkpoint under one protocol."""

    label: str
    """Model and variant; with the folder's name where two rows would have the same label."""
    model: str
    variant: str
    folder: str
    created: str
    frames: str
    protocol: str
    """Hash over the row's tasks."""
    cells: Mapping[str, Cell]
    reasons: tuple[str, ...]
    """Why it is not ranked; empty for a ranked row."""
    remarks: tuple[str, ...] = ()
    """What to know about its scores: a part of a benchmark, other engine settings than the rest."""
    block: int = 1
    """Number of its block; rows of one block were made under one protocol and are ranked."""
    runs: tuple[str, ...] = ()
    """Folders of the runs that it is made of; `folder` is the first."""
    homes: Mapping[str, str] = field(default_factory=dict)
    """Folder of the run that holds a task, by task."""
    average: Figure | None = None
    """Mean over `Board.average_tasks`; None where it lacks one of them."""
    further: Mapping[str, Figure] = field(default_factory=dict)
    """Figures of further columns, by name."""

    @property
    def status(self) -> str:
        """``ranked`` or ``not ranked``."""
        return NOT_RANKED if self.reasons else RANKED

    @property
    def note(self) -> str:
        """Reasons and remarks in one text."""
        return "; ".join((*self.reasons, *self.remarks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Runs compared with each other, and published scores of the same tasks."""

    tasks: tuple[str, ...]
    titles: Mapping[str, str]
    """Headings of the tasks."""
    ranked: tuple[BoardRow, ...]
    """Rows that are compared within their block, block after block."""
    below: tuple[BoardRow, ...]
    """Rows that are not ranked."""
    differences: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By number of a block, in what its protocols differ from those of the first one."""
    average_tasks: tuple[str, ...] = ()
    """Tasks that the average is taken over; empty: there is none."""
    columns: tuple[Column, ...] = ()
    """Further columns."""
    published: tuple[PublishedScore, ...] = ()

    @property
    def rows(self) -> tuple[BoardRow, ...]:
        """Measured rows, those that are not ranked last."""
        return self.ranked + self.below

    def to_frame(self) -> pd.DataFrame:
        """Return one row per checkpoint and protocol, in the board's order.

        Columns: ``model``, ``variant``, ``run``, ``status``, ``block``, ``frames``; then per task
        ``TASK score``, ``TASK ci95_low``, ``TASK ci95_high`` (percent), ``TASK rank_best``,
        ``TASK rank_worst`` (whole numbers, missing where a run is not ranked), the same for
        ``average`` and further columns; then ``note``, why a run is not ranked and what to know
        about its scores. Published scores are not part of it.
        """
        import pandas as pd

        names = [*self.tasks, *([AVERAGE] if self.average_tasks else [])]
        names += [column.name for column in self.columns]
        frame = pd.DataFrame([_flat_row(row, names) for row in self.rows])
        ranks = [f"{name} {end}" for name in names for end in ("rank_best", "rank_worst")]
        return frame.astype(dict.fromkeys(ranks, "Int64"))


def _flat_row(row: BoardRow, names: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {
        "model": row.model,
        "variant": row.variant,
        "run": row.folder,
        "status": row.status,
        "block": row.block,
        "frames": row.frames,
    }
    figures: dict[str, Cell | Figure | None] = {**row.cells, AVERAGE: row.average, **row.further}
    for name in names:
        figure = figures.get(name)
        low, high = (figure and figure.ci95) or (None, None)
        rank = figure and figure.rank
        fields |= {
            f"{name} score": figure and figure.score,
            f"{name} ci95_low": low,
            f"{name} ci95_high": high,
            f"{name} rank_best": rank and rank.best,
            f"{name} rank_worst": rank and rank.worst,
        }
    return fields | {"note": row.note}
