"""Writes tables as GitHub Markdown, with their notes as a list.

A Markdown table has one line under its heading and no other, so runs that are not ranked get a
table of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.board.leaderboard import NOT_RANKED
from harness.board.table import Table, TableCell
from harness.text.shown import for_markdown


def to_markdown(tables: list[Table]) -> str:
    """Write all tables, each under its title if it has one."""
    return "\n".join(_format_section(table) for table in tables)


def _format_section(table: Table) -> str:
    blocks = [f"### {for_markdown(table.title)}\n"] if table.title else []
    if table.rows:
        blocks.append(_format_rows(table, table.rows))
    if table.below:
        blocks += [f"**{NOT_RANKED.capitalize()}**\n", _format_rows(table, table.below)]
    if table.notes:
        blocks.append("\n".join(f"- {for_markdown(note)}" for note in table.notes) + "\n")
    return "\n".join(blocks)


def _format_rows(table: Table, rows: Iterable[tuple[TableCell, ...]]) -> str:
    columns = range(len(table.header))
    rule = ["---:" if column in table.number_columns else "---" for column in columns]
    head = [for_markdown(name) for name in table.header]
    lines = [head, rule, *([_format_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _format_cell(cell: TableCell) -> str:
    text = f"{for_markdown(cell.text)} {for_markdown(cell.small)}".strip()
    return f"**{text}**" if cell.strong else text
