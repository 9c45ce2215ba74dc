"""The board as tables of short texts, which every format for people draws in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.board.cells import Cell
from harness.board.published import Published
from harness.board.table import Board, Row

LEGEND = (
    "Score ± 95 % interval clustered by video; in brackets the best and worst rank that"
    " simultaneous comparisons of all pairs allow; bold or marked: certainly better than all"
    " others."
)
PUBLISHED = "Published, not measured"
NOT_RANKED = "not ranked"
NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One cell as it is read."""

    text: str
    small: str = ""
    """What stands beside or below it in small print: the rank range."""
    sort: float | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One table; the first column is text, the others are figures unless `texts` says so."""

    title: str = ""
    header: tuple[str, ...]
    rows: tuple[tuple[Field, ...], ...]
    below: tuple[tuple[Field, ...], ...] = ()
    """Rows under the rule."""
    texts: int = 0
    """How many of the last columns hold texts."""
    folded: int = 0
    """How many of the last columns a narrow page prints small below the first."""
    notes: tuple[str, ...] = ()


def grids(board: Board, *, by: bool) -> list[Grid]:
    """Return the measured table, the published one, and with `by` one breakdown per task."""
    found = [_measured(board)]
    if board.published:
        found.append(_published(board))
    return found + (list(_breakdowns(board)) if by else [])


def score_text(score: float | None, interval: tuple[float, float] | None) -> str:
    """Write a score as ``45.2 ± 2.1``, or with its bounds where they are not symmetrical."""
    if score is None:
        return NOTHING
    if interval is None:
        return f"{score:.1f}"
    below, above = score - interval[0], interval[1] - score
    if abs(below - above) < 0.1:
        return f"{score:.1f} ± {max(below, above):.1f}"
    return f"{score:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _measured(board: Board) -> Grid:
    return Grid(
        header=(
            "model", *board.tasks, "failed %", "truncated %", "no answer %", "frames", "protocol",
        ),
        rows=tuple(_fields(row, board) for row in board.ranked),
        below=tuple(_fields(row, board) for row in board.below),
        texts=2,
        folded=2,
        notes=(LEGEND, *_settings(board), *_reasons(board)),
    )  # fmt: skip


def _fields(row: Row, board: Board) -> tuple[Field, ...]:
    cells = row.cells.values()
    items = sum(cell.items for cell in cells)
    counts = (
        sum(cell.failed for cell in cells),
        sum(cell.truncated for cell in cells),
        sum(cell.no_answer for cell in cells),
    )
    return (
        Field(text=row.label),
        *(_score(row.cells.get(task)) for task in board.tasks),
        *(_share(count, items) for count in counts),
        Field(text=row.frames),
        Field(text=row.protocol),
    )


def _score(cell: Cell | None) -> Field:
    if cell is None:
        return Field(text=NOTHING)
    return Field(
        text=score_text(cell.score, cell.ci95),
        small="" if cell.rank is None else f"({cell.rank})",
        sort=cell.score,
        strong=cell.best,
    )


def _share(count: int, total: int) -> Field:
    """Write a share in percent; what is not zero never reads as zero."""
    percent = 100 * count / total if total else 0.0
    text = "0" if count == 0 else f"{percent:.1f}" if percent >= 0.05 else "<0.1"
    return Field(text=text, sort=percent)


def _settings(board: Board) -> Iterator[str]:
    """Say per task what the ranked runs share."""
    for task in board.tasks:
        cell = next((row.cells[task] for row in board.ranked if task in row.cells), None)
        if cell is None:
            yield f"{task}: no run can be ranked"
        else:
            yield (
                f"{task}: {cell.items:,} items, {cell.videos:,} videos, scorer {cell.scorer},"
                f" protocol {cell.protocol}"
            )


def _reasons(board: Board) -> list[str]:
    return [f"{NOT_RANKED}: {row.label}: {reason}" for row in board.below for reason in row.reasons]


def _published(board: Board) -> Grid:
    """Put the figures of one model, frame count and origin into one row."""
    tasks = [task for task in board.tasks if any(f.task == task for f in board.published)]
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for figure in board.published:
        key = (figure.model, figure.frames, _origin(figure))
        rows.setdefault(key, {})[figure.task] = figure.score
    origins = list(dict.fromkeys(origin for _, _, origin in rows))
    return Grid(
        title=PUBLISHED,
        header=("model", *tasks, "frames", "source"),
        rows=tuple(
            (
                Field(text=model),
                *(_figure(scores.get(task)) for task in tasks),
                Field(text=frames or NOTHING),
                Field(text=f"[{origins.index(origin) + 1}]"),
            )
            for (model, frames, origin), scores in rows.items()
        ),
        texts=2,
        notes=tuple(f"[{number}] {origin}" for number, origin in enumerate(origins, start=1)),
    )


def _origin(figure: Published) -> str:
    return "; ".join(filter(None, (figure.source, figure.setting, figure.note)))


def _figure(score: float | None) -> Field:
    """Write a published score with the digits it was published with."""
    return Field(text=NOTHING) if score is None else Field(text=str(score), sort=score)


def _breakdowns(board: Board) -> Iterator[Grid]:
    """Per task: categories down, runs across."""
    for task in board.tasks:
        rows = [row for row in board.rows if task in row.cells]
        categories = sorted({name for row in rows for name in row.cells[task].breakdown})
        if categories:
            yield Grid(
                title=f"{task} by category (score ± standard error)",
                header=("category", *(_heading(row) for row in rows)),
                rows=tuple(
                    (Field(text=name), *(_part(row.cells[task], name) for row in rows))
                    for name in categories
                ),
            )


def _heading(row: Row) -> str:
    return f"{row.label} ({NOT_RANKED})" if row.reasons else row.label


def _part(cell: Cell, category: str) -> Field:
    line = cell.breakdown.get(category, {})
    score, error = line.get("score"), line.get("se")
    if score is None:
        return Field(text=NOTHING)
    text = f"{score:.1f}" if error is None else f"{score:.1f} ± {error:.1f}"
    return Field(text=text, sort=score)
