"""Writes tables as GitHub Markdown, with their notes as a list.

A Markdown table has one line under its heading and no other, so that a further block of rows with a
title starts with a row that has only this title.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.board.table import Block, Table, TableCell
from harness.text.shown import for_markdown


def to_markdown(tables: list[Table]) -> str:
    """Write all tables, each under its title if it has one."""
    return "\n".join(_format_section(table) for table in tables)


def _format_section(table: Table) -> str:
    blocks = [f"### {for_markdown(table.title)}\n"] if table.title else []
    blocks.append(_format_rows(table))
    if table.notes:
        blocks.append("\n".join(f"- {for_markdown(note)}" for note in table.notes) + "\n")
    return "\n".join(blocks)


def _format_rows(table: Table) -> str:
    columns = range(len(table.header))
    rule = ["---:" if column in table.number_columns else "---" for column in columns]
    head = [for_markdown(name) for name in table.header]
    lines = [head, rule, *(line for block in table.blocks for line in _block_lines(block, table))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _block_lines(block: Block, table: Table) -> Iterator[list[str]]:
    if block.title:
        yield [f"**{for_markdown(block.title)}**", *[""] * (len(table.header) - 1)]
    for row in block.rows:
        yield [_format_cell(cell) for cell in row]


def _format_cell(cell: TableCell) -> str:
    text = f"{for_markdown(cell.text)} {for_markdown(cell.small)}".strip()
    return f"**{text}**" if cell.strong else text
