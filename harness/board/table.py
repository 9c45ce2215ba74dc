"""Turns a board into tables of short texts, which every printed format draws in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.board.cells import Cell
from harness.board.leaderboard import NOT_RANKED, Board, BoardRow

LEGEND = (
    "Score ± half of the 95 % confidence interval, clustered by video; in brackets the best and the"
    " worst rank that the data allow, from simultaneous comparisons of all pairs; bold or marked:"
    " significantly better than all others."
)
PUBLISHED = "Published, not measured"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; the first column is text, the others are numbers unless `texts` says so."""

    title: str = ""
    header: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    below: tuple[tuple[TableCell, ...], ...] = ()
    """Rows under a line: runs that are not ranked."""
    texts: int = 0
    """How many of the last columns hold text."""
    folded: int = 0
    """How many of the last columns a narrow page prints small below the first."""
    notes: tuple[str, ...] = ()

    @property
    def number_columns(self) -> range:
        """Positions of the columns that hold numbers."""
        return range(1, len(self.header) - self.texts)


def make_tables(board: Board, *, by: bool) -> list[Table]:
    """Return the measured table, the published one, and with `by` one breakdown per task."""
    found = [_measured_table(board)]
    if board.published:
        found.append(_published_table(board))
    return found + (list(_breakdown_tables(board)) if by else [])


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


def _measured_table(board: Board) -> Table:
    return Table(
        header=(
            "model", *board.tasks, "failed %", "truncated %", "no answer %",
            *(["refused %"] if _has_refusals(board) else []),
            *(["repeats"] if _has_repeats(board) else []), "frames", "protocol",
        ),
        rows=tuple(_row_cells(row, board) for row in board.ranked),
        below=tuple(_row_cells(row, board) for row in board.below),
        texts=2,
        folded=2,
        notes=(LEGEND, *_setting_notes(board), *_reason_notes(board), *_remark_notes(board)),
    )  # fmt: skip


def _has_refusals(board: Board) -> bool:
    return any(cell.refused for row in board.rows for cell in row.cells.values())


def _has_repeats(board: Board) -> bool:
    return any(cell.repeats > 1 for row in board.rows for cell in row.cells.values())


def _format_repeats(row: BoardRow) -> str:
    """Return how often a run asked each item; several numbers where tasks differ."""
    return "/".join(str(number) for number in dict.fromkeys(c.repeats for c in row.cells.values()))


def _row_cells(row: BoardRow, board: Board) -> tuple[TableCell, ...]:
    cells = row.cells.values()
    asked = sum(cell.asked for cell in cells)
    counts = (
        sum(cell.failed for cell in cells),
        sum(cell.truncated for cell in cells),
        sum(cell.no_answer for cell in cells),
        *([sum(cell.refused for cell in cells)] if _has_refusals(board) else []),
    )
    return (
        TableCell(text=row.label),
        *(_score_cell(row.cells.get(task)) for task in board.tasks),
        *(_share_cell(count, asked) for count in counts),
        *([TableCell(text=_format_repeats(row))] if _has_repeats(board) else []),
        TableCell(text=row.frames),
        TableCell(text=row.protocol),
    )


def _score_cell(cell: Cell | None) -> TableCell:
    if cell is None:
        return TableCell(text=NOTHING)
    return TableCell(
        text=score_text(cell.score, cell.ci95),
        small="" if cell.rank is None else f"({cell.rank})",
        sort=cell.score,
        strong=cell.best,
    )


def _share_cell(count: int, total: int) -> TableCell:
    """Format a share in percent; a share above zero is never printed as 0."""
    percent = 100 * count / total if total else 0.0
    text = "0" if count == 0 else f"{percent:.1f}" if percent >= 0.05 else "<0.1"
    return TableCell(text=text, sort=percent)


def _setting_notes(board: Board) -> Iterator[str]:
    """Yield one note per task: what the ranked runs share."""
    for task in board.tasks:
        cell = next((row.cells[task] for row in board.ranked if task in row.cells), None)
        if cell is None:
            yield f"{task}: no run can be ranked"
        else:
            yield (
                f"{task}: {cell.items:,} items, {cell.videos:,} videos, scorer {cell.scorer},"
                f" protocol {cell.protocol}"
            )


def _reason_notes(board: Board) -> list[str]:
    return [f"{NOT_RANKED}: {row.label}: {reason}" for row in board.below for reason in row.reasons]


def _remark_notes(board: Board) -> list[str]:
    return [f"{row.label}: {remark}" for row in board.rows for remark in row.remarks]


def _published_table(board: Board) -> Table:
    """Put the scores of one model, frame count and source into one row."""
    tasks = [task for task in board.tasks if any(p.task == task for p in board.published)]
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for published in board.published:
        key = (published.model, published.frames, published.origin)
        rows.setdefault(key, {})[published.task] = published.score
    origins = list(dict.fromkeys(origin for _, _, origin in rows))
    return Table(
        title=PUBLISHED,
        header=("model", *tasks, "frames", "source"),
        rows=tuple(
            (
                TableCell(text=model),
                *(_published_cell(scores.get(task)) for task in tasks),
                TableCell(text=frames or NOTHING),
                TableCell(text=f"[{origins.index(origin) + 1}]"),
            )
            for (model, frames, origin), scores in rows.items()
        ),
        texts=2,
        notes=tuple(f"[{number}] {origin}" for number, origin in enumerate(origins, start=1)),
    )


def _published_cell(score: float | None) -> TableCell:
    """Format a published score with the digits it was published with."""
    return TableCell(text=NOTHING) if score is None else TableCell(text=str(score), sort=score)


def _breakdown_tables(board: Board) -> Iterator[Table]:
    """Yield one table per task: a row per category, a column per run."""
    for task in board.tasks:
        rows = [row for row in board.rows if task in row.cells]
        categories = sorted({name for row in rows for name in row.cells[task].breakdown})
        if categories:
            yield Table(
                title=f"{task} by category (score ± standard error)",
                header=("category", *(_run_heading(row) for row in rows)),
                rows=tuple(
                    (
                        TableCell(text=name),
                        *(_category_cell(row.cells[task], name) for row in rows),
                    )
                    for name in categories
                ),
            )


def _run_heading(row: BoardRow) -> str:
    return f"{row.label} ({NOT_RANKED})" if row.reasons else row.label


def _category_cell(cell: Cell, category: str) -> TableCell:
    line = cell.breakdown.get(category, {})
    score, error = line.get("score"), line.get("se")
    if score is None:
        return TableCell(text=NOTHING)
    text = f"{score:.1f}" if error is None else f"{score:.1f} ± {error:.1f}"
    return TableCell(text=text, sort=score)
