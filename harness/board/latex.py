r"""Writes tables as LaTeX that fits its page: shrunk where it is too wide, broken where too long.

The document has to load ``booktabs`` and ``graphicx``, and ``longtable`` where a table has many
rows. A table wider than the text is scaled down to it; one whose letters would become too small is
set in several parts, each with the first column. Notes are printed small under each table. Every
text is escaped, so that model names such as ``a_b/100%`` compile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.board.table import Table, TableCell
from harness.text.shown import for_latex

_LONG = 30
"""Rows from which a table is broken over pages."""
_PART = 130
"""Letters in a line up to which a table may be shrunk; article has room for about 95 of them."""
_LONG_PART = 85
"""The same for a table over several pages, which cannot be shrunk."""
_SPACE = 2
"""Letters that the space between two columns takes."""


def to_latex(tables: list[Table]) -> str:
    r"""Write all tables, to be read with ``\input``."""
    parts = [part for table in tables for part in _parts(table)]
    packages = ["booktabs", "graphicx", *(["longtable"] if any(map(_is_long, parts)) else [])]
    return f"% needs \\usepackage{{{','.join(packages)}}}\n" + "\n".join(map(_format_table, parts))


def _is_long(table: Table) -> bool:
    return len(table.rows) >= _LONG


def _parts(table: Table) -> Iterator[Table]:
    """Yield a table, or several with some of its columns each where all together are too wide."""
    last = len(table.header) - table.folded
    widths = [_width(table, column) for column in range(last)]
    room = (_LONG_PART if _is_long(table) else _PART) - widths[0]
    chosen: list[list[int]] = [[]]
    used = 0
    for column in range(1, last):
        if chosen[-1] and used + widths[column] > room:
            chosen.append([])
            used = 0
        chosen[-1].append(column)
        used += widths[column]
    for number, columns in enumerate(chosen, start=1):
        kept = [0, *columns, *range(last, len(table.header))]
        part = _with_columns(table, kept) if len(chosen) > 1 else table
        title = f"{table.title} (part {number} of {len(chosen)})".strip()
        yield replace(
            part,
            title=title if len(chosen) > 1 else table.title,
            texts=sum(column not in table.number_columns for column in kept) - 1,
            notes=table.notes if number == len(chosen) else (),
        )


def _width(table: Table, column: int) -> int:
    head = max(map(len, table.header[column].split()), default=0)
    return max([head, *(len(row[column].text) for row in table.rows)]) + _SPACE


def _with_columns(table: Table, columns: Sequence[int]) -> Table:
    return replace(
        table,
        header=tuple(table.header[column] for column in columns),
        blocks=tuple(
            replace(
                block, rows=tuple(tuple(row[column] for column in columns) for row in block.rows)
            )
            for block in table.blocks
        ),
    )


def _format_table(table: Table) -> str:
    last = len(table.header) - table.folded
    columns = "".join("r" if place in table.number_columns else "l" for place in range(last))
    title = rf"\noindent\textbf{{{for_latex(table.title)}}}\par\smallskip"
    lines = [
        r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}",
        *([title] if table.title else []),
        *(_long_lines(table, columns) if _is_long(table) else _short_lines(table, columns)),
        *(rf"\noindent {for_latex(note)}\par" for note in table.notes),
        r"\endgroup\bigskip",
    ]
    return "".join(f"{line}\n" for line in lines)


def _short_lines(table: Table, columns: str) -> Iterator[str]:
    """Yield a table that is scaled down to the width of the text where it is wider."""
    yield r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield _format_head(table)
    yield from _body_lines(table)
    yield r"\bottomrule"
    yield r"\end{tabular}}\par\smallskip"


def _long_lines(table: Table, columns: str) -> Iterator[str]:
    """Yield a table that goes on on further pages under the same head."""
    yield r"\setlength{\LTleft}{0pt}"
    yield rf"\begin{{longtable}}{{{columns}}}"
    yield r"\toprule"
    yield _format_head(table)
    yield r"\midrule\endhead"
    yield r"\bottomrule\endfoot"
    body = list(_body_lines(table))
    yield from body[1:]  # the head has its rule already
    yield r"\end{longtable}\par\smallskip"


def _format_head(table: Table) -> str:
    last = len(table.header) - table.folded
    return " & ".join(_format_heading(name) for name in table.header[:last]) + r" \\"


def _body_lines(table: Table) -> Iterator[str]:
    last = len(table.header) - table.folded
    for block in table.blocks:
        yield r"\midrule"
        if block.title:
            yield rf"\multicolumn{{{last}}}{{l}}{{\emph{{{for_latex(block.title)}}}}} \\"
        yield from (_format_row(row, table.header[last:]) for row in block.rows)


def _format_heading(name: str) -> str:
    r"""Put every word of a heading on a line: ``truncated`` over ``\%``."""
    words = [for_latex(word) for word in name.split()] or [""]
    stacked = r"\\".join(words)
    return rf"\shortstack[r]{{{stacked}}}" if len(words) > 1 else words[0]


def _format_row(row: tuple[TableCell, ...], folded: tuple[str, ...]) -> str:
    """Format one run: its cells, and a second line with small texts and folded columns."""
    last = len(row) - len(folded)
    below = zip(folded, row[last:], strict=True)
    first = ", ".join(f"{for_latex(name)} {for_latex(cell.text)}" for name, cell in below)
    small = [first, *(for_latex(cell.small) for cell in row[1:last])]
    lines = " & ".join(_format_cell(cell) for cell in row[:last]) + r" \\"
    if any(small):
        lines += "\n" + " & ".join(rf"{{\tiny {text}}}" if text else "" for text in small) + r" \\"
    return lines


def _format_cell(cell: TableCell) -> str:
    return rf"\textbf{{{for_latex(cell.text)}}}" if cell.strong else for_latex(cell.text)
