"""The board for machines: tidy CSV with one line per run and task, and JSON with everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict

from harness.board.cells import Cell
from harness.board.grid import NOT_RANKED, PUBLISHED
from harness.board.table import Board, Row

COLUMNS = (
    "status", "model", "variant", "run", "task", "category", "score", "ci95_low", "ci95_high", "se",
    "rank_best", "rank_worst", "best", "items", "videos", "missing", "failed", "truncated",
    "no_answer", "frames", "protocol", "scorer", "note",
)  # fmt: skip


def to_csv(board: Board, *, by: bool) -> str:
    """Write one line per score; with `by` also one per category."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_lines(board, by))
    return text.getvalue()


def to_json(board: Board, *, by: bool) -> str:
    """Write the whole board; breakdowns only with `by`."""
    content = asdict(board)
    if not by:
        for row in (*content["ranked"], *content["below"]):
            for cell in row["cells"].values():
                del cell["breakdown"]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _lines(board: Board, by: bool) -> Iterator[dict[str, object]]:
    for row in board.rows:
        for task, cell in row.cells.items():
            yield _whole(row, task, cell)
            if by:
                yield from _categories(row, task, cell)
    for figure in board.published:
        yield {
            "status": PUBLISHED.lower(),
            "model": figure.model,
            "task": figure.task,
            "score": figure.score,
            "frames": figure.frames,
            "note": "; ".join(filter(None, (figure.setting, figure.source, figure.note))),
        }


def _whole(row: Row, task: str, cell: Cell) -> dict[str, object]:
    low, high = cell.ci95 or (None, None)
    return {
        **_identity(row, task, cell),
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
    }


def _categories(row: Row, task: str, cell: Cell) -> Iterator[dict[str, object]]:
    for category, line in cell.breakdown.items():
        yield {
            **_identity(row, task, cell),
            "category": category,
            "score": line["score"],
            "se": line["se"],
            "items": line["n"],
        }


def _identity(row: Row, task: str, cell: Cell) -> dict[str, object]:
    return {
        "status": NOT_RANKED if row.reasons else "ranked",
        "model": row.model,
        "variant": row.variant,
        "run": row.folder,
        "task": task,
        "frames": row.frames,
        "protocol": cell.protocol,
        "scorer": cell.scorer,
        "note": "; ".join(row.reasons),
    }
