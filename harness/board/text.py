"""The board on a terminal, within 100 columns for four tasks."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.board.grid import Field, Grid

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

WIDTH = 100


def to_text(tables: list[Grid]) -> str:
    """Write the board as plain text."""
    from rich.console import Console

    page = io.StringIO()
    print_board(Console(file=page, width=WIDTH), tables)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def print_board(console: Console, tables: list[Grid]) -> None:
    """Print every table with its notes."""
    from rich.text import Text

    for grid in tables:
        console.print(_table(grid))
        for note in grid.notes:
            console.print(Text(note, style="dim"))


def _table(grid: Grid) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.HORIZONTALS, title=grid.title or None, title_justify="left", padding=(0, 1, 0, 0)
    )
    last = len(grid.header) - grid.folded
    figures = range(1, len(grid.header) - grid.texts)
    table.add_column(
        Text("\n".join((grid.header[0], *grid.header[last:]))), min_width=14, overflow="fold"
    )
    for place, name in enumerate(grid.header[1:last], start=1):
        # As `Text`: in a plain string rich would take the scorer in "vsibench [NAME]" for a style.
        heading = Text(name.replace(" %", "\n%").replace(" [", "\n["))
        table.add_column(heading, justify="right" if place in figures else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*_texts(row, grid))
    if grid.below:
        table.add_section()
    for row in grid.below:
        table.add_row(*_texts(row, grid), style="dim")
    return table


def _texts(row: tuple[Field, ...], grid: Grid) -> list[RenderableType]:
    """Draw one row; what is folded stands below the first field."""
    last = len(row) - grid.folded
    first = replace(row[0], small="\n".join(field.text for field in row[last:]))
    return [_text(field) for field in (first, *row[1:last])]


def _text(field: Field) -> RenderableType:
    from rich.text import Text

    text = Text(field.text, style="bold green" if field.strong else "")
    mark = "✓ " if field.strong else ""
    return text + Text(f"\n{mark}{field.small}", style="dim") if field.small else text
