"""Draws the scores of a board with their intervals, one panel per task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.board.cells import Cell
from harness.board.figures import Figure
from harness.board.rows import Board, BoardRow
from harness.board.table import headings
from harness.errors import UsageError
from harness.files import write_atomically
from harness.plugins import importing
from harness.text.shown import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
_LABEL = 40
"""Letters of a row's name that are drawn."""
_ROW, _PANEL, _MARGIN = 0.28, 3.0, 1.1
"""Inches: height of a row, width of a panel, room for heading and axis."""
_MOST_ROWS = 200


def draw_chart(board: Board, path: Path) -> None:
    """Write a picture with a point and a 95 % interval per row and task.

    Rows stand in the board's order. Those that are not ranked are hollow, published scores are
    crosses without an interval.

    Raises:
        UsageError: matplotlib is not installed, the file name has another ending, or there are too
            many rows for a picture.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: expected a file name that ends in {', '.join(FORMATS)}")
    if len(board.rows) > _MOST_ROWS:
        raise UsageError(
            f"--chart: a picture has room for {_MOST_ROWS} rows, this board has {len(board.rows)};"
            " name fewer runs"
        )
    with importing("matplotlib", "charts"):
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Picture
    panels = _panels(board)
    names = _names(board)
    size = (2.4 + _PANEL * len(panels), _MARGIN + _ROW * len(names))
    with rc_context({"svg.fonttype": "none", "text.parse_math": False}):
        picture = Picture(figsize=size, layout="constrained")
        axes = picture.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (title, points) in zip(axes, panels, strict=True):
            _draw_panel(axis, title, points, len(names))
        axes[0].set_yticks(range(len(names)), names)
        kind = path.suffix.lower().removeprefix(".")
        write_atomically(path, lambda place: picture.savefig(place, format=kind, dpi=150))


Point = tuple[int, Cell | Figure, bool]
"""Row, figure, whether it is ranked."""


def _panels(board: Board) -> list[tuple[str, list[Point | tuple[int, float]]]]:
    """Return title and points of each panel."""
    published = _published_rows(board)
    panels: list[tuple[str, list[Any]]] = []
    for task in board.tasks:
        points: list[Any] = [
            (at, row.cells[task], not row.reasons)
            for at, row in enumerate(board.rows)
            if task in row.cells
        ]
        points += [
            (len(board.rows) + at, score)
            for at, (_, scores) in enumerate(published)
            for name, score in scores.items()
            if name == task
        ]
        panels.append((board.titles[task], points))
    if board.average_tasks:
        panels.append(("average", [*_average_points(board.rows)]))
    return panels


def _average_points(rows: Sequence[BoardRow]) -> list[Point]:
    return [
        (at, row.average, not row.reasons) for at, row in enumerate(rows) if row.average is not None
    ]


def _published_rows(board: Board) -> list[tuple[str, dict[str, float]]]:
    """Return name and scores of each published model, frame count and source."""
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for score in board.published:
        rows.setdefault((score.model, score.frames, score.origin), {})[score.task] = score.score
    return [
        (f"{model}, {frames} frames" if frames else model, scores)
        for (model, frames, _), scores in rows.items()
    ]


def _names(board: Board) -> list[str]:
    measured = headings(board)
    names = [*measured.values(), *(name for name, _ in _published_rows(board))]
    return [one if len(one) <= _LABEL else f"{one[: _LABEL - 1]}…" for one in map(one_line, names)]


def _draw_panel(axis: Axes, title: str, points: Sequence[Any], rows: int) -> None:
    for at, *point in points:
        if len(point) == 1:
            axis.plot(point[0], at, "x", color="tab:gray")
            continue
        figure, ranked = point
        if figure.score is None:
            continue
        low, high = figure.ci95 or (figure.score, figure.score)
        colour = "tab:blue" if ranked else "tab:gray"
        axis.plot([low, high], [at, at], color=colour, linewidth=1.5)
        fill = colour if ranked else "white"
        axis.plot(figure.score, at, "o", color=colour, markerfacecolor=fill, markersize=5)
    axis.set_title(one_line(title), fontsize=10)
    axis.set_xlabel("score, 95 % interval", fontsize=8)
    axis.set_ylim(rows - 0.5, -0.5)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(labelsize=8)
