"""Prints tables as text: as wide as they need to be, folded by words, or one row under another.

Nothing is cut. A page that is too narrow for a table gets intervals and ranks below the scores; one
that is still too narrow gets the figures of every row as a list.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.board.table import Block, Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text

_FIRST = 14
"""Least width of the first column."""
_FIRST_FOLDED = 16
"""Its width where a page is narrow: longer names are folded."""
_FIRST_WIDEST = 60
"""Its width where there is room."""
_NOTES = 100
"""Width at which notes are folded where there is more room than the table takes."""
_WIDEST = 10_000


def to_text(tables: list[Table]) -> str:
    """Write tables as plain text, as wide as they need to be."""
    from harness.text.console import make_console

    page = io.StringIO()
    console = make_console(file=page, width=_WIDEST)
    _print(console, tables, _WIDEST)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def print_tables(console: Console, tables: list[Table]) -> None:
    """Print every table with its notes.

    On a terminal, and where ``COLUMNS`` is set, tables are folded to that width; a pipe gets the
    width that they need.
    """
    from harness.text.console import has_given_width

    fits = has_given_width(console)
    width = console.width
    if not fits:
        console.width = _WIDEST
    try:
        _print(console, tables, width if fits else _WIDEST)
    finally:
        console.width = width


def _print(console: Console, tables: list[Table], width: int) -> None:
    from rich.measure import Measurement

    from harness.text.console import styled

    for table in tables:
        least = _NOTES
        for drawn in _draw(console, table, width):
            console.print(drawn)
            least = max(least, Measurement.get(console, console.options, drawn).maximum)
        for note in table.notes:
            console.print(styled((note, "dim")), width=min(width, least))


def _draw(console: Console, table: Table, width: int) -> Iterator[RenderableType]:
    """Yield the first layout of a table that fits a width."""
    from rich.measure import Measurement

    room = console.options.update(max_width=_WIDEST)
    for tall in (False, True):
        narrowest = _make_table(table, tall=tall, first=_FIRST_FOLDED)
        if Measurement.get(console, room, narrowest).maximum <= width:
            yield _make_table(table, tall=tall, first=_FIRST_WIDEST)
            return
    yield from _draw_stacked(table, width)


def _make_table(table: Table, *, tall: bool, first: int) -> RichTable:
    """Draw a table whose first column has a largest width; numbers are never folded."""
    from rich import box
    from rich.table import Table as RichTable

    drawn = RichTable(
        box=box.HORIZONTALS,
        title=_plain(table.title) if table.title else None,
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
    last = len(table.header) - table.folded
    heading = "\n".join((table.header[0], *table.header[last:]))
    drawn.add_column(_plain(heading), min_width=_FIRST, max_width=first, overflow="fold")
    for column, name in enumerate(table.header[1:last], start=1):
        number = column in table.number_columns
        drawn.add_column(
            _fold_heading(name, _widest(table, column, tall=tall)),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number,
        )
    for position, block in enumerate(table.blocks):
        if position:
            drawn.add_section()
        if block.title:
            drawn.add_row(_plain(block.title, "italic"))
        for row in block.rows:
            style = "dim" if block.dim else ""
            drawn.add_row(*_draw_row(row, table, tall=tall), style=style)
    return drawn


def _widest(table: Table, column: int, *, tall: bool) -> int:
    lines = (line for row in table.rows for line in _lines(row[column], tall=tall, marked=True))
    return max(map(len, lines), default=0)


def _fold_heading(name: str, width: int) -> Text:
    """Return a heading folded by words to the width of its cells, or of its longest word.

    As `Text`: in a plain string rich would take the scorer in ``vsibench [NAME]`` for a style.
    """
    words = name.split()
    room = max([width, *map(len, words)])
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return _plain("\n".join(lines))


def _lines(cell: TableCell, *, tall: bool, marked: bool) -> list[str]:
    """Return the lines of a cell: score, below it interval (where `tall`) and rank."""
    score, _, interval = cell.text.partition(" ")
    small = f"✓ {cell.small}" if marked and cell.strong and cell.small else cell.small
    first = [score, interval] if tall else [cell.text]
    return [line for line in (*first, small) if line]


def _draw_row(row: tuple[TableCell, ...], table: Table, *, tall: bool) -> list[RenderableType]:
    """Draw one row; folded columns are printed below the first cell."""
    last = len(row) - table.folded
    below = "\n".join(cell.text for cell in row[last:])
    first = _plain(row[0].text)
    if below:
        first += _plain(f"\n{below}", "dim")
    numbers = [
        _draw_cell(cell, tall=tall and column in table.number_columns)
        for column, cell in enumerate(row[1:last], start=1)
    ]
    return [first, *numbers]


def _draw_cell(cell: TableCell, *, tall: bool) -> RenderableType:
    first, *rest = _lines(cell, tall=tall, marked=True) or [""]
    style = "bold green" if cell.strong else ""
    drawn = _plain(first, style)
    for line in rest:
        drawn += _plain(f"\n{line}", "dim" if line.endswith(")") else style)
    return drawn


def _draw_stacked(table: Table, width: int) -> Iterator[RenderableType]:
    """Yield the figures of every row as a list, for pages that no table fits on."""
    from rich import box
    from rich.table import Table as RichTable

    if table.title:
        yield _plain(table.title, "italic")
    for block in table.blocks:
        drawn = RichTable(box=box.HORIZONTALS, show_header=False, padding=(0, 1, 0, 0), width=width)
        drawn.add_column(overflow="fold", ratio=2)
        drawn.add_column(overflow="fold", ratio=3)
        if block.title:
            drawn.add_row(_plain(block.title, "italic"))
        _add_stacked_rows(drawn, block, table)
        yield drawn


def _add_stacked_rows(drawn: RichTable, block: Block, table: Table) -> None:
    style = "dim" if block.dim else ""
    for row in block.rows:
        drawn.add_row(_plain(row[0].text, "bold"), style=style)
        for name, cell in zip(table.header[1:], row[1:], strict=True):
            lines = _lines(cell, tall=False, marked=True)
            drawn.add_row(_plain(f"  {name}"), _plain(" ".join(lines)), style=style)


def _plain(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)
