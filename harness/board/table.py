"""Turns a board into tables of short texts, which every printed format draws in its own way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.board.cells import Cell
from harness.board.figures import AVERAGE, Figure
from harness.board.notes import OUTCOMES, notes_on
from harness.board.published import PublishedScore
from harness.board.rows import NOT_RANKED, Board, BoardRow
from harness.text.shown import shortened

PUBLISHED = "published, not measured"
NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell as it is printed."""

    text: str
    small: str = ""
    """Printed small beside or below the text: the rank range."""
    sort: float | None = None
    """What an HTML page sorts by; None: the text."""
    strong: bool = False
    link: str = ""
    """Address of a page about it, for HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows that belong together; a line separates blocks."""

    rows: tuple[tuple[TableCell, ...], ...]
    title: str = ""
    dim: bool = False
    """Whether it is less important than the others: not ranked, not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; the first column is text, the others are numbers unless `texts` says so."""

    title: str = ""
    header: tuple[str, ...]
    blocks: tuple[Block, ...]
    texts: int = 0
    """How many of the last columns hold text."""
    folded: int = 0
    """How many of the last columns a narrow page prints small below the first."""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[tuple[TableCell, ...], ...]:
        """The rows of all blocks."""
        return tuple(row for block in self.blocks for row in block.rows)

    @property
    def number_columns(self) -> range:
        """Positions of the columns that hold numbers."""
        return range(1, len(self.header) - self.texts)


MakeLink = Callable[[str, str], str]
"""Returns the address of a run's items of a task; empty for none."""


def make_tables(board: Board, *, by: bool, link: MakeLink | None = None) -> list[Table]:
    """Return the table of scores, and with `by` one breakdown per task.

    Args:
        board: The board.
        by: Also break tasks down by category.
        link: What scores link to, by run directory and task, in formats that have links.
    """
    scores = _score_table(board, link or (lambda run, task: ""))
    return [scores, *(_breakdown_tables(board) if by else [])]


def score_text(score: float | None, interval: tuple[float, float] | None) -> str:
    """Format a score as ``45.2 ± 2.1``, or with its bounds where they are not symmetrical."""
    if score is None:
        return NOTHING
    if interval is None:
        return f"{score:.1f}"
    below, above = score - interval[0], interval[1] - score
    if abs(below - above) < 0.1:
        return f"{score:.1f} ± {max(below, above):.1f}"
    return f"{score:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def headings(board: Board) -> dict[int, str]:
    """Return a name per row of a board, by its position, that no other row has."""
    counts = Counter(row.label for row in board.rows)
    return {
        at: row.label if counts[row.label] == 1 else f"{row.label}, {row.frames} frames"
        for at, row in enumerate(board.rows)
    }


def category_text(line: Mapping[str, Any]) -> str:
    """Format the score of a category with its 95 % interval.

    Runs before 0.2.0 have a standard error only, which is then named as one.
    """
    score, error, low, high = (line.get(name) for name in ("score", "se", "ci95_low", "ci95_high"))
    if score is not None and low is None and error is not None:
        return f"{score:.1f} (SE {error:.1f})"
    return score_text(score, None if low is None or high is None else (low, high))


def _score_table(board: Board, link: MakeLink) -> Table:
    outcomes = [name for name in OUTCOMES if _total(board, name)]
    sources = list(dict.fromkeys(score.origin for score in board.published))
    return Table(
        header=(
            "model", "frames", *(board.titles[task] for task in board.tasks),
            *(["average"] if board.average_tasks else []),
            *(column.title for column in board.columns),
            *(f"{name.replace('_', ' ')} %" for name in outcomes),
            *(["repeats"] if _has_repeats(board) else []),
            "protocol or source" if sources else "protocol",
        ),
        blocks=tuple(_blocks(board, outcomes, sources, link)),
        texts=1,
        folded=1,
        notes=(
            *notes_on(board, outcomes=outcomes),
            *(f"[{number}] {origin}" for number, origin in enumerate(sources, start=1)),
        ),
    )  # fmt: skip


def _blocks(
    board: Board, outcomes: Sequence[str], sources: Sequence[str], link: MakeLink
) -> Iterator[Block]:
    ranked = _compared(board)

    def draw(rows: Iterable[BoardRow]) -> tuple[tuple[TableCell, ...], ...]:
        return tuple(_row_cells(row, board, outcomes, ranked, link) for row in rows)

    for number in sorted({row.block for row in board.ranked}):
        yield Block(rows=draw(row for row in board.ranked if row.block == number))
    if board.below:
        yield Block(rows=draw(board.below), title=NOT_RANKED, dim=True)
    if board.published:
        rows = tuple(_published_rows(board, outcomes, sources))
        yield Block(rows=rows, title=PUBLISHED, dim=True)


def _total(board: Board, outcome: str) -> int:
    return sum(getattr(cell, outcome) for row in board.rows for cell in row.cells.values())


def _has_repeats(board: Board) -> bool:
    return any(cell.repeats > 1 for row in board.rows for cell in row.cells.values())


def _format_repeats(row: BoardRow) -> str:
    """Return how often a run asked each item; several numbers where tasks differ."""
    return "/".join(str(number) for number in dict.fromkeys(c.repeats for c in row.cells.values()))


def _row_cells(
    row: BoardRow,
    board: Board,
    outcomes: Sequence[str],
    ranked: Collection[tuple[int, str]],
    link: MakeLink,
) -> tuple[TableCell, ...]:
    def draw(figure: Cell | Figure | None, name: str) -> TableCell:
        drawn = _figure_cell(figure, rank=(row.block, name) in ranked)
        if not isinstance(figure, Cell):
            return drawn
        return replace(drawn, link=link(row.homes.get(name, row.folder), name))

    cells = row.cells.values()
    asked = sum(cell.asked for cell in cells)
    return (
        TableCell(text=row.label),
        _frames_cell(row.frames),
        *(draw(row.cells.get(task), task) for task in board.tasks),
        *([draw(row.average, AVERAGE)] if board.average_tasks else []),
        *(draw(row.further.get(column.name), column.name) for column in board.columns),
        *(_share_cell(sum(getattr(cell, name) for cell in cells), asked) for name in outcomes),
        *([TableCell(text=_format_repeats(row))] if _has_repeats(board) else []),
        TableCell(text=row.protocol),
    )


def _frames_cell(frames: str) -> TableCell:
    number = re.match(r"\d+", frames)
    return TableCell(text=frames or NOTHING, sort=float(number[0]) if number else None)


def _compared(board: Board) -> set[tuple[int, str]]:
    """Return block and column of figures that are ranked among several rows."""
    counts: Counter[tuple[int, str]] = Counter()
    for row in board.ranked:
        counts.update((row.block, name) for name, cell in row.cells.items() if cell.rank)
        counts.update([(row.block, AVERAGE)] if row.average and row.average.rank else [])
    return {place for place, count in counts.items() if count > 1}


def _figure_cell(figure: Cell | Figure | None, *, rank: bool = False) -> TableCell:
    if figure is None:
        return TableCell(text=NOTHING)
    return TableCell(
        text=score_text(figure.score, figure.ci95),
        small=f"({figure.rank})" if rank and figure.rank else "",
        sort=figure.score,
        strong=figure.best,
        link=figure.link if isinstance(figure, Figure) else "",
    )


def _share_cell(count: int, total: int) -> TableCell:
    """Format a share in percent; a share above zero is never printed as 0."""
    percent = 100 * count / total if total else 0.0
    text = "0" if count == 0 else f"{percent:.1f}" if percent >= 0.05 else "<0.1"
    return TableCell(text=text, sort=percent)


def _published_rows(
    board: Board, outcomes: Sequence[str], sources: Sequence[str]
) -> Iterator[tuple[TableCell, ...]]:
    """Put the scores of one model, frame count and source into one row each."""
    found: dict[tuple[str, str, str], dict[str, PublishedScore]] = {}
    for published in board.published:
        key = (published.model, published.frames, published.origin)
        found.setdefault(key, {})[published.task] = published
    blank = len(board.columns) + len(outcomes) + _has_repeats(board)
    for (model, frames, origin), scores in found.items():
        yield (
            TableCell(text=model),
            _frames_cell(frames),
            *(_published_cell(scores.get(task)) for task in board.tasks),
            *([_published_average(board, scores)] if board.average_tasks else []),
            *([TableCell(text=NOTHING)] * blank),
            TableCell(text=f"[{sources.index(origin) + 1}]"),
        )


def _published_cell(score: PublishedScore | None) -> TableCell:
    """Format a published score with the digits it was published with."""
    if score is None:
        return TableCell(text=NOTHING)
    return TableCell(text=str(score.score), sort=score.score)


def _published_average(board: Board, scores: dict[str, PublishedScore]) -> TableCell:
    if not all(task in scores for task in board.average_tasks):
        return TableCell(text=NOTHING)
    known = [scores[task].score for task in board.average_tasks]
    mean = sum(known) / len(known)
    return TableCell(text=f"{mean:.1f}", sort=mean)


def _breakdown_tables(board: Board) -> Iterator[Table]:
    """Yield one table per task: a row per category, a column per run."""
    names = headings(board)
    for task in board.tasks:
        rows = [(names[at], row) for at, row in enumerate(board.rows) if task in row.cells]
        categories = sorted({name for _, row in rows for name in row.cells[task].breakdown})
        if categories:
            yield Table(
                title=f"{board.titles[task]} by category",
                header=("category", *(_run_heading(name, row) for name, row in rows)),
                blocks=(
                    Block(
                        rows=tuple(
                            (
                                TableCell(text=shortened(category)),
                                *(_category_cell(row.cells[task], category) for _, row in rows),
                            )
                            for category in categories
                        )
                    ),
                ),
            )


def _run_heading(name: str, row: BoardRow) -> str:
    return f"{name} ({NOT_RANKED})" if row.reasons else name


def _category_cell(cell: Cell, category: str) -> TableCell:
    line = cell.breakdown.get(category, {})
    score = line.get("score")
    return TableCell(text=category_text(line), sort=score)
