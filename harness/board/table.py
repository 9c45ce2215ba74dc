"""What is compared with what: the board's rows, above the rule and below it.

A task is compared under one setting: the protocol, data and selection that most of the runs share,
on a tie that of the run named first. A run that was asked otherwise on any task, or lacks items,
or has failed ones, stands below the rule with the reason and has no rank anywhere: a score over
other questions is another number. A run that was not asked a task at all has no cell there, and is
ranked where it has one.

Rows stand in the order of their mean score over the board's tasks, incomplete ones last; the order
claims nothing, the rank ranges do.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.board.cells import (
    Cell,
    find_aggregation,
    has_own_total,
    influence,
    make_cell,
    means_of,
)
from harness.board.entry import (
    Entry,
    Setting,
)
from harness.board.published import Published
from harness.board.ranks import RankRange, rank_ranges
from harness.errors import DatasetError
from harness.files import diff
from harness.schema import Outcome, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run."""

    label: str
    """Model and variant; with the folder where two runs would read the same."""
    model: str
    variant: str
    folder: str
    created: str
    frames: str
    protocol: str
    """Hash over the run's tasks."""
    cells: Mapping[str, Cell]
    reasons: tuple[str, ...]
    """Why it is not ranked; empty above the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything a format writes."""

    tasks: tuple[str, ...]
    ranked: tuple[Row, ...]
    below: tuple[Row, ...]
    published: tuple[Published, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Measured rows, those below the rule last."""
        return self.ranked + self.below


def build(entries: Sequence[Entry], published: Iterable[Published] = ()) -> Board:
    """Compare runs; published figures of their tasks are carried along."""
    tasks = tuple(dict.fromkeys(task for entry in entries for task in entry.settings))
    usual = {task: _usual_setting(entries, task) for task in tasks}
    rows = [
        _row(entry, label, _reasons(entry, usual))
        for entry, label in zip(entries, _labels(entries), strict=True)
    ]
    ranks = {task: _ranks(task, entries, rows) for task in tasks}
    placed = [_place(row, position, ranks) for position, row in enumerate(rows)]
    placed.sort(key=lambda row: _order(row, tasks))
    return Board(
        tasks=tasks,
        ranked=tuple(row for row in placed if not row.reasons),
        below=tuple(row for row in placed if row.reasons),
        published=tuple(figure for figure in published if figure.task in tasks),
    )


def _usual_setting(entries: Sequence[Entry], task: str) -> Setting:
    """Return the setting of most runs; of several equally frequent ones, the first."""
    settings = [entry.settings[task] for entry in entries if task in entry.settings]
    keys = [json.dumps(setting, sort_keys=True) for setting in settings]
    [(key, _)] = Counter(keys).most_common(1)
    return settings[keys.index(key)]


def _reasons(entry: Entry, usual: Mapping[str, Setting]) -> tuple[str, ...]:
    """Say in words all that keeps a run from being ranked; tasks with the same reason share it."""
    tasks: dict[str, list[str]] = {}
    for task in entry.settings:
        for reason in _task_reasons(entry, task, usual[task]):
            tasks.setdefault(reason, []).append(task)
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in tasks.items())


def _task_reasons(entry: Entry, task: str, usual: Setting) -> Iterator[str]:
    setting, answers = entry.settings[task], entry.answers[task]
    fields = diff(_comparable(setting), _comparable(usual))
    if fields:
        yield f"asked otherwise (this run != the others): {'; '.join(fields)}"
    asked, answered = setting["data"]["items"], len(answers.items.ids)
    if answered < asked:
        yield f"{asked - answered} of {asked} items have no record"
    if answered > asked:
        yield f"{answered} items have a record, asked were {asked}"
    if answers.outcomes[Outcome.FAILED]:
        yield f"{answers.outcomes[Outcome.FAILED]} of {asked} items failed"
    if has_own_total(entry, task):
        yield "its own number is no mean of its items, so that it has no error to rank it by"
    elif means_of(entry, task) is None:
        yield "its scorer is not installed here, the score is from summary.json"


def _comparable(setting: Setting) -> dict[str, Any]:
    """Leave out the hash: it differs wherever a field does and says nothing more."""
    protocol = {name: value for name, value in setting["protocol"].items() if name != "hash"}
    return {**protocol, "data": setting["data"], "selection": setting["selection"]}


def _labels(entries: Sequence[Entry]) -> list[str]:
    named = [
        entry.model if entry.variant == Variant.ORDERED else f"{entry.model} ({entry.variant})"
        for entry in entries
    ]
    repeated = {name for name, count in Counter(named).items() if count > 1}
    return [
        f"{name} [{entry.folder.name}]" if name in repeated else name
        for name, entry in zip(named, entries, strict=True)
    ]


def _row(entry: Entry, label: str, reasons: tuple[str, ...]) -> Row:
    return Row(
        label=label,
        model=entry.model,
        variant=entry.variant,
        folder=str(entry.folder),
        created=entry.created,
        frames=entry.frames,
        protocol=entry.protocol,
        cells={task: make_cell(entry, task) for task in entry.settings},
        reasons=reasons,
    )


def _ranks(task: str, entries: Sequence[Entry], rows: Sequence[Row]) -> dict[int, RankRange]:
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
        raise ValueError(f"{task}: a run without an aggregation stands below the rule")
    scores = np.array([rows[position].cells[task].score for position in ranked]) / 100
    _check_same_questions(task, [entries[position] for position in ranked])
    moved = [influence(entries[position].answers[task], means) for position in ranked]
    return dict(zip(ranked, rank_ranges(scores, np.stack(moved, axis=1)), strict=True))


def _check_same_questions(task: str, entries: Sequence[Entry]) -> None:
    """Refuse records that contradict their manifests: same setting, other questions."""
    first = entries[0]
    for entry in entries:
        if entry.answers[task].items is not first.answers[task].items:
            raise DatasetError(
                f"{first.folder} and {entry.folder} were asked the same {task} and have records of"
                " different questions, videos or categories; one of them was changed"
            )


def _place(row: Row, position: int, ranks: Mapping[str, Mapping[int, RankRange]]) -> Row:
    """Write a row's ranks into its cells."""
    cells = dict(row.cells)
    for task, cell in row.cells.items():
        if position in ranks[task]:
            rank = ranks[task][position]
            best = rank.worst == 1 and len(ranks[task]) > 1
            cells[task] = replace(cell, rank=rank, best=best)
    return replace(row, cells=cells)


def _order(row: Row, tasks: Sequence[str]) -> tuple[bool, float]:
    scores = [row.cells[task].score for task in tasks if task in row.cells]
    known = [score for score in scores if score is not None]
    return len(known) < len(tasks), -math.fsum(known) / max(len(known), 1)
