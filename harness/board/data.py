"""Writes a board for programs: CSV with one line per run and task, and JSON with everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict

from harness.board.cells import Cell
from harness.board.leaderboard import Board, BoardRow
from harness.text.shown import for_csv, for_json

COLUMNS = (
    "status", "model", "variant", "run", "task", "category", "score", "ci95_low", "ci95_high", "se",
    "rank_best", "rank_worst", "best", "items", "repeats", "videos", "missing", "failed",
    "truncated", "no_answer", "refused", "frames", "protocol", "scorer", "note",
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
    content = asdict(board)
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
    for published in board.published:
        yield {
            "status": _PUBLISHED,
            "model": published.model,
            "task": published.task,
            "score": published.score,
            "frames": published.frames,
            "note": "; ".join(filter(None, (published.setting, published.source, published.note))),
        }


def _task_line(row: BoardRow, task: str, cell: Cell) -> dict[str, object]:
    low, high = cell.ci95 or (None, None)
    return {
        **_identity_fields(row, task, cell),
        "score": cell.score,
        "ci95_low": low,
        "ci95_high": high,
        "rank_best": cell.rank and cell.rank.best,
        "rank_worst": cell.rank and cell.rank.worst,
        "best": cell.best,
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
            "se": line["se"],
            "items": line["n"],
        }


def _identity_fields(row: BoardRow, task: str, cell: Cell) -> dict[str, object]:
    return {
        "status": row.status,
        "model": row.model,
        "variant": row.variant,
        "run": row.folder,
        "task": task,
        "frames": row.frames,
        "protocol": cell.protocol,
        "scorer": cell.scorer,
        "note": row.note,
    }
