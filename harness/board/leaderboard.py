"""Makes the rows of a board of runs, and ranks those that may be compared.

There is one row per checkpoint and protocol; runs of one checkpoint that hold different tasks are
joined. Rows made under one protocol form a block and are ranked within it, task by task. A row with
other questions than most, with missing items or with failed ones is listed below with the reason
and has no rank on any task. A row that lacks a task entirely has no cell there and is ranked on the
tasks that it has.

Rows of a block are ordered by their mean score over the board's tasks, incomplete ones last. This
order is not a ranking; the rank ranges are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from harness.board.blocks import block_differences, find_blocks, reasons_not_to_rank
from harness.board.cells import ScoredItems, aggregation_of, make_cell, scored_items
from harness.board.entries import read_entries
from harness.board.entry import Entry
from harness.board.figures import (
    AVERAGE,
    Column,
    Figure,
    average_figure,
    average_tasks,
    further_figures,
    joint_items,
)
from harness.board.join import join_entries
from harness.board.published import PublishedScore
from harness.board.ranks import RankRange, rank_ranges
from harness.board.remarks import remarks_on
from harness.board.rows import Board, BoardRow
from harness.board.titles import title_of
from harness.errors import DatasetError
from harness.schema import Variant
from harness.text.shown import shortened

Ranks = Mapping[int, RankRange]
"""Rank ranges by position among all rows."""


def read_board(
    folders: Iterable[PathLike[str] | str],
    *,
    scorers: bool = False,
    published: Iterable[PublishedScore] = (),
    columns: Sequence[Column] = (),
) -> Board:
    """Read run directories and compare them.

    Args:
        folders: Run directories or `harness.Run` objects, each once; at least one.
        scorers: Also show the scores that ``videor1 rescore`` left in the runs.
        published: Scores to list beside the measured ones, see `harness.board.published`.
        columns: Further columns, see `harness.board.figures`.

    Raises:
        UsageError: A folder is not a run directory, or is named twice.
        DatasetError: A file of a run cannot be read, or two runs contradict each other.
    """
    return build_board(read_entries(map(Path, folders), scorers=scorers), published, columns)


def build_board(
    runs: Sequence[Entry],
    published: Iterable[PublishedScore] = (),
    columns: Sequence[Column] = (),
) -> Board:
    """Compare runs; published scores of their tasks are carried along."""
    entries = join_entries(runs)
    tasks = tuple(dict.fromkeys(task for entry in entries for task in entry.settings))
    averaged, blocks = average_tasks(entries), find_blocks(entries)
    joint = [joint_items(entry, averaged) for entry in entries]
    averages = [average_figure(entry, averaged, joint[at]) for at, entry in enumerate(entries)]
    rows = _make_rows(entries, blocks, averages, columns)
    for block in blocks:
        for task in tasks:
            rows = _with_ranks(rows, task, _rank_task(task, entries, rows, block))
        rows = _with_ranks(rows, AVERAGE, _rank_average(joint, rows, block))
    rows.sort(key=lambda row: _sort_key(row, tasks))
    members = [[entries[position] for position in block] for block in blocks]
    return Board(
        tasks=tasks,
        titles={task: title_of(task) for task in tasks},
        ranked=tuple(row for row in rows if not row.reasons),
        below=tuple(row for row in rows if row.reasons),
        differences={
            number: block_differences(block, members[0])
            for number, block in enumerate(members[1:], start=2)
        },
        average_tasks=averaged,
        columns=tuple(columns),
        published=tuple(score for score in published if score.task in tasks),
    )


def _make_rows(
    entries: Sequence[Entry],
    blocks: Sequence[Sequence[int]],
    averages: Sequence[Figure | None],
    columns: Sequence[Column],
) -> list[BoardRow]:
    """Return one row per entry, in their order, without ranks yet."""
    number_of = {at: number for number, block in enumerate(blocks, start=1) for at in block}
    rows = []
    for position, (entry, label) in enumerate(zip(entries, _make_labels(entries), strict=True)):
        number = number_of[position]
        block = [entries[at] for at in blocks[number - 1]]
        rows.append(
            BoardRow(
                label=label,
                model=entry.label or entry.model,
                variant=entry.variant,
                folder=str(entry.folder),
                created=entry.created,
                frames=entry.frames,
                protocol=entry.protocol,
                cells={task: make_cell(entry, task) for task in entry.settings},
                reasons=reasons_not_to_rank(entry, block),
                remarks=remarks_on(entry, entries),
                block=number,
                runs=tuple(map(str, entry.folders)),
                homes={task: str(entry.home(task)) for task in entry.settings},
                average=averages[position],
                further=further_figures(entry, columns),
            )
        )
    return rows


def _make_labels(entries: Sequence[Entry]) -> list[str]:
    """Return a name per entry: the user's, or model and variant; folders tell equal ones apart."""
    named = [shortened(entry.label or _model_and_variant(entry)) for entry in entries]
    repeated = {
        name
        for name, count in Counter(
            (name, entry.frames) for name, entry in zip(named, entries, strict=True)
        ).items()
        if count > 1
    }
    return [
        f"{name} [{entry.folder.name}]"
        if entry.label is None and (name, entry.frames) in repeated
        else name
        for name, entry in zip(named, entries, strict=True)
    ]


def _model_and_variant(entry: Entry) -> str:
    return entry.model if entry.variant == Variant.ORDERED else f"{entry.model} ({entry.variant})"


def _rank_task(
    task: str, entries: Sequence[Entry], rows: Sequence[BoardRow], block: Sequence[int]
) -> Ranks:
    """Rank the comparable rows of a block on a task."""
    ranked = [at for at in block if not rows[at].reasons and _score_of(rows[at], task) is not None]
    _require_same_items(task, [entries[at] for at in ranked])
    return _rank(ranked, [_items_of(entries[at], task) for at in ranked])


def _rank_average(
    joint: Sequence[ScoredItems | None], rows: Sequence[BoardRow], block: Sequence[int]
) -> Ranks:
    """Rank the comparable rows of a block by their average; `joint` has the items of each row."""
    known = {at: joint[at] for at in block if not rows[at].reasons}
    ranked = {at: items for at, items in known.items() if items is not None}
    return _rank(list(ranked), list(ranked.values()))


def _score_of(row: BoardRow, task: str) -> float | None:
    return row.cells[task].score if task in row.cells else None


def _items_of(entry: Entry, task: str) -> ScoredItems:
    means = aggregation_of(entry, task)
    if means is None:
        raise ValueError(f"{task}: a run without an aggregation must not be ranked")
    return scored_items(entry.answers[task], means)


def _rank(positions: Sequence[int], items: Sequence[ScoredItems]) -> Ranks:
    """Rank rows by their items; all have the same questions."""
    if not positions:
        return {}
    scores = np.array([one.estimate().mean for one in items])  # type: ignore[union-attr]
    moved = np.stack([one.influence() for one in items], axis=1)
    ranges = rank_ranges(scores, moved, min(one.effective_videos() for one in items))
    return dict(zip(positions, ranges, strict=True))


def _require_same_items(task: str, entries: Sequence[Entry]) -> None:
    """Raise where runs with the same setting have records of different items."""
    for entry in entries[1:]:
        first = entries[0]
        if entry.answers[task].items is not first.answers[task].items:
            raise DatasetError(
                f"{first.folder} and {entry.folder} have the same settings for {task}, but their"
                " records have different questions, videos or categories: one of them was changed"
                " after it was written. Evaluate it again or leave it out"
            )


def _with_ranks(rows: list[BoardRow], name: str, ranks: Ranks) -> list[BoardRow]:
    """Return rows with ranks in the cells of a task, or in their averages."""
    return [
        _with_rank(row, name, ranks[at], alone=len(ranks) == 1) if at in ranks else row
        for at, row in enumerate(rows)
    ]


def _with_rank(row: BoardRow, name: str, rank: RankRange, *, alone: bool) -> BoardRow:
    best = rank.worst == 1 and not alone
    if name == AVERAGE and row.average is not None:
        return replace(row, average=replace(row.average, rank=rank, best=best))
    cell = replace(row.cells[name], rank=rank, best=best)
    return replace(row, cells={**row.cells, name: cell})


def _sort_key(row: BoardRow, tasks: Sequence[str]) -> tuple[int, bool, float]:
    """Order by block, then complete rows first, then by mean score, highest first."""
    scores = list(_known_scores(row, tasks))
    return row.block, len(scores) < len(tasks), -math.fsum(scores) / max(len(scores), 1)


def _known_scores(row: BoardRow, tasks: Sequence[str]) -> Iterator[float]:
    for task in tasks:
        score = _score_of(row, task)
        if score is not None:
            yield score
