"""Decides which runs may be compared and ranks them.

A task is compared under one setting: the protocol, data and selection that most of the runs
share; on a tie, that of the run named first. A run with another setting on any task, with missing
items or with failed ones is listed below the ranked runs with the reason and has no rank on any
task: a score over other questions is another number. A run that lacks a task entirely has no cell
there and is ranked on the tasks that it has.

Rows are ordered by their mean score over the board's tasks, incomplete ones last. This order is not
a ranking; the rank ranges are.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.board.cells import (
    Cell,
    aggregation_of,
    effective_videos,
    find_aggregation,
    has_own_total,
    influence,
    make_cell,
)
from harness.board.entries import read_entries
from harness.board.entry import Entry, Setting
from harness.board.published import PublishedScore
from harness.board.ranks import RankRange, rank_ranges
from harness.board.remarks import remarks_on
from harness.errors import DatasetError
from harness.files import diff
from harness.schema import Variant

if TYPE_CHECKING:
    import pandas as pd

RANKED, NOT_RANKED = "ranked", "not ranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One run."""

    label: str
    """Model and variant; with the folder's name where two runs would have the same label."""
    model: str
    variant: str
    folder: str
    created: str
    frames: str
    protocol: str
    """Hash over the run's tasks."""
    cells: Mapping[str, Cell]
    reasons: tuple[str, ...]
    """Why it is not ranked; empty for a ranked run."""
    remarks: tuple[str, ...] = ()
    """What to know about its scores: a part of a benchmark, other engine settings than the rest."""

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
    ranked: tuple[BoardRow, ...]
    below: tuple[BoardRow, ...]
    """Runs that are not ranked."""
    published: tuple[PublishedScore, ...] = ()

    @property
    def rows(self) -> tuple[BoardRow, ...]:
        """Measured rows, those that are not ranked last."""
        return self.ranked + self.below

    def to_frame(self) -> pd.DataFrame:
        """Return one row per run, in the board's order.

        Columns: ``model``, ``variant``, ``run``, ``status``, ``frames``; then per task
        ``TASK score``, ``TASK ci95_low``, ``TASK ci95_high`` (percent), ``TASK rank_best``,
        ``TASK rank_worst`` (whole numbers, missing where a run is not ranked); then ``note``, why a
        run is not ranked and what to know about its scores. Published scores are not part of it.
        """
        import pandas as pd

        frame = pd.DataFrame([_flat_row(row, self.tasks) for row in self.rows])
        ranks = [f"{task} {end}" for task in self.tasks for end in ("rank_best", "rank_worst")]
        return frame.astype(dict.fromkeys(ranks, "Int64"))


def read_board(
    folders: Iterable[PathLike[str] | str],
    *,
    scorers: bool = False,
    published: Iterable[PublishedScore] = (),
) -> Board:
    """Read run directories and compare them.

    Args:
        folders: Run directories or `harness.Run` objects, each once; at least one.
        scorers: Also show the scores that ``videor1 rescore`` left in the runs.
        published: Scores to list beside the measured ones, see `harness.board.published`.

    Raises:
        UsageError: A folder is not a run directory, or is named twice.
        DatasetError: A file of a run cannot be read, or two runs contradict each other.
    """
    return build_board(read_entries(map(Path, folders), scorers=scorers), published)


def build_board(entries: Sequence[Entry], published: Iterable[PublishedScore] = ()) -> Board:
    """Compare runs; published scores of their tasks are carried along."""
    tasks = tuple(dict.fromkeys(task for entry in entries for task in entry.settings))
    usual = {task: _usual_setting(entries, task) for task in tasks}
    rows = [
        _make_row(entry, label, _reasons(entry, usual), remarks_on(entry, entries))
        for entry, label in zip(entries, _make_labels(entries), strict=True)
    ]
    ranks = {task: _rank_task(task, entries, rows) for task in tasks}
    placed = [_with_ranks(row, position, ranks) for position, row in enumerate(rows)]
    placed.sort(key=lambda row: _sort_key(row, tasks))
    return Board(
        tasks=tasks,
        ranked=tuple(row for row in placed if not row.reasons),
        below=tuple(row for row in placed if row.reasons),
        published=tuple(score for score in published if score.task in tasks),
    )


def _flat_row(row: BoardRow, tasks: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {
        "model": row.model,
        "variant": row.variant,
        "run": row.folder,
        "status": row.status,
        "frames": row.frames,
    }
    for task in tasks:
        cell = row.cells.get(task)
        low, high = (cell and cell.ci95) or (None, None)
        rank = cell and cell.rank
        fields |= {
            f"{task} score": cell and cell.score,
            f"{task} ci95_low": low,
            f"{task} ci95_high": high,
            f"{task} rank_best": rank and rank.best,
            f"{task} rank_worst": rank and rank.worst,
        }
    return fields | {"note": row.note}


def _usual_setting(entries: Sequence[Entry], task: str) -> Setting:
    """Return the setting of most runs; of several equally frequent ones, the first."""
    settings = [entry.settings[task] for entry in entries if task in entry.settings]
    keys = [json.dumps(_comparable_fields(setting), sort_keys=True) for setting in settings]
    [(key, _)] = Counter(keys).most_common(1)
    return settings[keys.index(key)]


def _reasons(entry: Entry, usual: Mapping[str, Setting]) -> tuple[str, ...]:
    """Return every reason not to rank a run; tasks with the same reason share one line."""
    tasks: dict[str, list[str]] = {}
    for task in entry.settings:
        for reason in _task_reasons(entry, task, usual[task]):
            tasks.setdefault(reason, []).append(task)
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in tasks.items())


def _task_reasons(entry: Entry, task: str, usual: Setting) -> Iterator[str]:
    setting, answers = entry.settings[task], entry.answers[task]
    fields = diff(_comparable_fields(setting), _comparable_fields(usual))
    if fields:
        yield f"different settings (this run != the others): {'; '.join(fields)}"
    items, repeats = setting["data"]["items"], setting["protocol"].get("repeats", 1)
    asked, answered = items * repeats, answers.n_records
    unit = "items" if repeats == 1 else "answers"
    if answered < asked:
        yield f"{asked - answered} of {asked} {unit} have no record"
    if answered > asked:
        yield f"{answered} {unit} have a record, expected {asked}"
    if answers.failed_items:
        yield f"{answers.failed_items} of {items} items failed"
    if has_own_total(entry, task):
        yield "official score is not a per-item mean; no confidence interval, not ranked"
    elif aggregation_of(entry, task) is None:
        scorer = setting["protocol"]["scorer"]
        yield f"scorer {scorer} is not installed here; the score is the one in summary.json"


def _comparable_fields(setting: Setting) -> dict[str, Any]:
    """Return a setting without its hash, which differs wherever another field does.

    Repeats are left out, too: runs of more or fewer measure the same, more or less exactly.
    """
    free = ("hash", "repeats")
    protocol = {name: value for name, value in setting["protocol"].items() if name not in free}
    return {**protocol, "data": setting["data"], "selection": setting["selection"]}


def _make_labels(entries: Sequence[Entry]) -> list[str]:
    named = [
        entry.model if entry.variant == Variant.ORDERED else f"{entry.model} ({entry.variant})"
        for entry in entries
    ]
    repeated = {name for name, count in Counter(named).items() if count > 1}
    return [
        f"{name} [{entry.folder.name}]" if name in repeated else name
        for name, entry in zip(named, entries, strict=True)
    ]


def _make_row(
    entry: Entry, label: str, reasons: tuple[str, ...], remarks: tuple[str, ...]
) -> BoardRow:
    return BoardRow(
        label=label,
        model=entry.model,
        variant=entry.variant,
        folder=str(entry.folder),
        created=entry.created,
        frames=entry.frames,
        protocol=entry.protocol,
        cells={task: make_cell(entry, task) for task in entry.settings},
        reasons=reasons,
        remarks=remarks,
    )


def _rank_task(
    task: str, entries: Sequence[Entry], rows: Sequence[BoardRow]
) -> dict[int, RankRange]:
    """Rank a task's comparable runs, by position among all runs."""
    ranked = [
        position
        for position, row in enumerate(rows)
        if not row.reasons and task in row.cells and row.cells[task].score is not None
    ]
    if not ranked:
        return {}
    setting = entries[ranked[0]].settings[task]
    means = find_aggregation(task, setting["protocol"]["scorer"])
    if means is None:
        raise ValueError(f"{task}: a run without an aggregation must not be ranked")
    scores = np.array([rows[position].cells[task].score for position in ranked]) / 100
    _require_same_items(task, [entries[position] for position in ranked])
    moved = [influence(entries[position].answers[task], means) for position in ranked]
    effective = min(effective_videos(entries[position].answers[task], means) for position in ranked)
    ranges = rank_ranges(scores, np.stack(moved, axis=1), effective)
    return dict(zip(ranked, ranges, strict=True))


def _require_same_items(task: str, entries: Sequence[Entry]) -> None:
    """Raise where runs with the same setting have records of different items."""
    first = entries[0]
    for entry in entries:
        if entry.answers[task].items is not first.answers[task].items:
            raise DatasetError(
                f"{first.folder} and {entry.folder} have the same settings for {task}, but their"
                " records have different questions, videos or categories: one of them was changed"
                " after it was written. Evaluate it again or leave it out"
            )


def _with_ranks(
    row: BoardRow, position: int, ranks: Mapping[str, Mapping[int, RankRange]]
) -> BoardRow:
    """Return a row with its ranks in its cells."""
    cells = dict(row.cells)
    for task, cell in row.cells.items():
        if position in ranks[task]:
            rank = ranks[task][position]
            best = rank.worst == 1 and len(ranks[task]) > 1
            cells[task] = replace(cell, rank=rank, best=best)
    return replace(row, cells=cells)


def _sort_key(row: BoardRow, tasks: Sequence[str]) -> tuple[bool, float]:
    """Order complete rows first, then by mean score, highest first."""
    scores = [row.cells[task].score for task in tasks if task in row.cells]
    known = [score for score in scores if score is not None]
    return len(known) < len(tasks), -math.fsum(known) / max(len(known), 1)
