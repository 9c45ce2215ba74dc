"""Writes a board for programs: CSV with one line per run and task, and JSON with everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace

from harness.board.cells import Cell
from harness.board.figures import AVERAGE, Figure
from harness.board.rows import Board, BoardRow
from harness.text.shown import for_csv, for_json

COLUMNS = (
    "status", "model", "variant", "run", "task", "category", "score", "ci95_low", "ci95_high", "se",
    "rank_best", "rank_worst", "best", "items", "repeats", "videos", "missing", "failed",
    "truncated", "no_answer", "refused", "frames", "protocol", "scorer", "note", "block",
)  # fmt: skip

_PUBLISHED = "published, not measured"


def to_csv(board: Board, *, by: bool) -> str:
    """Write one line per score; with `by` also one per category."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in _csv_lines(board, by):
        writer.writerow({name: for_csv(value) for name, value in line.items()})
    return text.getvalue()


def to_json(board: Board, *, by: bool) -> str:
    """Write the whole board; breakdowns only with `by`."""
    content = asdict(replace(board, columns=()))
    content["columns"] = [
        {"name": column.name, "title": column.title, "note": column.note}
        for column in board.columns
    ]
    if not by:
        for row in (*content["ranked"], *content["below"]):
            for cell in row["cells"].values():
                del cell["breakdown"]
    return for_json(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def _csv_lines(board: Board, by: bool) -> Iterator[dict[str, object]]:
    for row in board.rows:
        for task, cell in row.cells.items():
            yield _task_line(row, task, cell)
            if by:
                yield from _category_lines(row, task, cell)
        figures = {AVERAGE: row.average, **row.further}
        for name, figure in figures.items():
            if figure is not None:
                yield _figure_line(row, name, figure)
    for published in board.published:
        yield {
            "status": _PUBLISHED,
            "model": published.model,
            "task": published.task,
            "score": published.score,
            "frames": published.frames,
            "note": "; ".join(filter(None, (published.setting, published.source, published.note))),
        }


def _figure_line(row: BoardRow, name: str, figure: Cell | Figure) -> dict[str, object]:
    low, high = figure.ci95 or (None, None)
    return {
        **_row_fields(row, name),
        "score": figure.score,
        "ci95_low": low,
        "ci95_high": high,
        "rank_best": figure.rank and figure.rank.best,
        "rank_worst": figure.rank and figure.rank.worst,
        "best": figure.best,
    }


def _task_line(row: BoardRow, task: str, cell: Cell) -> dict[str, object]:
    return {
        **_figure_line(row, task, cell),
        **_identity_fields(row, task, cell),
        "items": cell.items,
        "videos": cell.videos,
        "missing": cell.missing,
        "failed": cell.failed,
        "truncated": cell.truncated,
        "no_answer": cell.no_answer,
        "refused": cell.refused,
        "repeats": cell.repeats,
    }


def _category_lines(row: BoardRow, task: str, cell: Cell) -> Iterator[dict[str, object]]:
    for category, line in cell.breakdown.items():
        yield {
            **_identity_fields(row, task, cell),
            "category": category,
            "score": line["score"],
            "ci95_low": line.get("ci95_low"),
            "ci95_high": line.get("ci95_high"),
            "se": line["se"],
            "items": line["n"],
        }


def _identity_fields(row: BoardRow, task: str, cell: Cell) -> dict[str, object]:
    return {**_row_fields(row, task), "protocol": cell.protocol, "scorer": cell.scorer}


def _row_fields(row: BoardRow, task: str) -> dict[str, object]:
    return {
        "status": row.status,
        "model": row.model,
        "variant": row.variant,
        "run": row.folder,
        "task": task,
        "frames": row.frames,
        "note": row.note,
        "block": row.block,
    }
