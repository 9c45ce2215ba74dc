"""Figures of a row beside its tasks: the average, and columns that other modules add.

A further column is a `Column`: a title, a note, and a function from a row's runs to its figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.board.cells import ScoredItems, aggregation_of, in_percent, make_cell, scored_items
from harness.board.entry import Entry
from harness.board.ranks import RankRange

AVERAGE = "average"
"""Name of the average's column, in CSV and JSON too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a row, in percent or points."""

    score: float | None
    ci95: tuple[float, float] | None = None
    rank: RankRange | None = None
    """None: it is not ranked."""
    best: bool = False
    """Significantly better than every other ranked run."""
    link: str = ""
    """Address of a page about it, for the HTML table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A further column of a board."""

    name: str
    """Stable name, in CSV and JSON."""
    title: str
    """Heading."""
    note: str
    """What it is and how it is computed, printed under the table."""
    figure: Callable[[Entry], Figure | None]
    """Returns the figure of a row, None where it has none; `Entry.folders` has its runs."""


def average_tasks(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the tasks that a board's average is taken over, none where it has no average.

    They are all tasks of the board where a row has them all, otherwise those that every row has.
    Columns of other scorers, such as ``vsibench [official]``, are left out.
    """
    tasks = [
        task
        for task in dict.fromkeys(name for entry in entries for name in entry.settings)
        if " [" not in task
    ]
    if not any(all(task in entry.settings for task in tasks) for entry in entries):
        tasks = [task for task in tasks if all(task in entry.settings for entry in entries)]
    return tuple(tasks) if len(tasks) > 1 else ()


def average_figure(entry: Entry, tasks: Sequence[str], scored: ScoredItems | None) -> Figure | None:
    """Return the unweighted mean of a row's scores on some tasks, None where it lacks one.

    Its interval is clustered by video over all of them. It has none where a task's score is not a
    mean of items that can be computed here.

    Args:
        entry: The row's runs.
        tasks: The tasks.
        scored: The row's items of these tasks, as `joint_items` returns them.
    """
    if not tasks or not all(task in entry.settings for task in tasks):
        return None
    if scored is not None:
        score, interval = in_percent(scored.estimate())
        return Figure(score=score, ci95=interval)
    scores = [make_cell(entry, task).score for task in tasks]
    known = [score for score in scores if score is not None]
    return Figure(score=sum(known) / len(known) if len(known) == len(scores) else None)


def joint_items(entry: Entry, tasks: Sequence[str]) -> ScoredItems | None:
    """Return a row's items of some tasks as one tree; None where it lacks a task or its values."""
    if not tasks or not all(task in entry.settings for task in tasks):
        return None
    parts: dict[str, ScoredItems] = {}
    for task in tasks:
        means = aggregation_of(entry, task)
        if means is None:
            return None
        parts[task] = scored_items(entry.answers[task], means)
        if not parts[task].clusters:
            return None
    return ScoredItems.joined(parts)


def further_figures(entry: Entry, columns: Sequence[Column]) -> Mapping[str, Figure]:
    """Return a row's figures of further columns by name, without those that it does not have."""
    found = {column.name: column.figure(entry) for column in columns}
    return {name: figure for name, figure in found.items() if figure is not None}
