"""The board as GitHub Markdown: tables, then notes as a list.

A Markdown table has no second rule, so what stands below the rule is a table of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.board.grid import NOT_RANKED, Field, Grid

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#]")


def to_markdown(tables: list[Grid]) -> str:
    """Write all tables; one that has a title stands under it."""
    return "\n".join(_section(grid) for grid in tables)


def _section(grid: Grid) -> str:
    blocks = [f"### {escape(grid.title)}\n"] if grid.title else []
    if grid.rows:
        blocks.append(_table(grid, grid.rows))
    if grid.below:
        blocks += [f"**{NOT_RANKED.capitalize()}**\n", _table(grid, grid.below)]
    blocks += ["\n".join(f"- {escape(note)}" for note in grid.notes) + "\n"] if grid.notes else []
    return "\n".join(blocks)


def _table(grid: Grid, rows: Iterable[tuple[Field, ...]]) -> str:
    figures = range(1, len(grid.header) - grid.texts)
    rule = ["---:" if place in figures else "---" for place in range(len(grid.header))]
    head = [escape(name) for name in grid.header]
    lines = [head, rule, *([_field(field) for field in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _field(field: Field) -> str:
    text = f"{escape(field.text)} {escape(field.small)}".strip()
    return f"**{text}**" if field.strong else text


def escape(text: str) -> str:
    """Write a text so that Markdown shows it as it is, on one line of a table."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
