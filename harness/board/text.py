"""Prints tables on a terminal, within 100 columns for four tasks."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.board.table import Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

WIDTH = 100


def to_text(tables: list[Table]) -> str:
    """Write tables as plain text."""
    from harness.text.console import make_console

    page = io.StringIO()
    print_tables(make_console(file=page, width=WIDTH), tables)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def print_tables(console: Console, tables: list[Table]) -> None:
    """Print every table with its notes."""
    from harness.text.console import styled

    for table in tables:
        console.print(_make_rich_table(table))
        for note in table.notes:
            console.print(styled((note, "dim")))


def _make_rich_table(table: Table) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.HORIZONTALS, title=table.title or None, title_justify="left", padding=(0, 1, 0, 0)
    )
    last = len(table.header) - table.folded
    first = Text("\n".join((table.header[0], *table.header[last:])))
    drawn.add_column(first, min_width=14, overflow="fold")
    for column, name in enumerate(table.header[1:last], start=1):
        # As `Text`: in a plain string rich would take the scorer in "vsibench [NAME]" for a style.
        heading = Text(name.replace(" %", "\n%").replace(" [", "\n["))
        is_number = column in table.number_columns
        drawn.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*_draw_row(row, table))
    if table.below:
        drawn.add_section()
    for row in table.below:
        drawn.add_row(*_draw_row(row, table), style="dim")
    return drawn


def _draw_row(row: tuple[TableCell, ...], table: Table) -> list[RenderableType]:
    """Draw one row; folded columns are printed below the first cell."""
    last = len(row) - table.folded
    first = replace(row[0], small="\n".join(cell.text for cell in row[last:]))
    return [_draw_cell(cell) for cell in (first, *row[1:last])]


def _draw_cell(cell: TableCell) -> RenderableType:
    from rich.text import Text

    text = Text(cell.text, style="bold green" if cell.strong else "")
    mark = "✓ " if cell.strong else ""
    return text + Text(f"\n{mark}{cell.small}", style="dim") if cell.small else text
