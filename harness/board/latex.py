r"""Writes tables as LaTeX ``tabular`` environments; the paper has to load ``booktabs`` only.

Four tasks are wider than the narrow text block of plain ``article``; set them in a ``table*`` or on
a page with ordinary margins. Notes are printed small under each table. Every text is escaped, so
that model names such as ``a_b/100%`` compile.
"""

from __future__ import annotations

from harness.board.table import Table, TableCell
from harness.text.shown import for_latex


def to_latex(tables: list[Table]) -> str:
    r"""Write all tables, to be read with ``\input``."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(map(_format_table, tables))


def _format_table(table: Table) -> str:
    last = len(table.header) - table.folded
    columns = "".join("r" if place in table.number_columns else "l" for place in range(last))
    lines = [
        r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}",
        *([rf"\noindent\textbf{{{for_latex(table.title)}}}\par\smallskip"] if table.title else []),
        rf"\noindent\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(_format_heading(name) for name in table.header[:last]) + r" \\",
        r"\midrule",
        *(_format_row(row, table.header[last:]) for row in table.rows),
        *([r"\midrule"] if table.below and table.rows else []),
        *(_format_row(row, table.header[last:]) for row in table.below),
        r"\bottomrule",
        r"\end{tabular}\par\smallskip",
        *(rf"\noindent {for_latex(note)}\par" for note in table.notes),
        r"\endgroup\bigskip",
    ]
    return "".join(f"{line}\n" for line in lines)


def _format_heading(name: str) -> str:
    r"""Put the unit on a second line: ``truncated`` over ``\%``."""
    word, unit, _ = for_latex(name).partition(r" \%")
    return rf"\shortstack[r]{{{word}\\\%}}" if unit else word


def _format_row(row: tuple[TableCell, ...], folded: tuple[str, ...]) -> str:
    """Format one run: its cells, and a second line with small texts and folded columns."""
    last = len(row) - len(folded)
    below = zip(folded, row[last:], strict=True)
    first = ", ".join(f"{name} {for_latex(cell.text)}" for name, cell in below)
    small = [first, *(for_latex(cell.small) for cell in row[1:last])]
    lines = " & ".join(_format_cell(cell) for cell in row[:last]) + r" \\"
    if any(small):
        lines += "\n" + " & ".join(rf"{{\tiny {text}}}" if text else "" for text in small) + r" \\"
    return lines


def _format_cell(cell: TableCell) -> str:
    return rf"\textbf{{{for_latex(cell.text)}}}" if cell.strong else for_latex(cell.text)
