r"""The board as LaTeX: ``tabular`` environments for papers that load ``booktabs``, nothing else.

Four tasks are wider than the narrow text block of plain ``article``; set them in a ``table*`` or on
a page with ordinary margins. Notes stand under each table in small print. Every text is escaped, so
that model names such as ``a_b/100%`` compile.
"""

from __future__ import annotations

from harness.board.grid import Field, Grid

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': r"\char34{}",
    "±": r"\ensuremath{\pm}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
}  # fmt: skip


def to_latex(tables: list[Grid]) -> str:
    r"""Write all tables, to be read with ``\input``."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_tabular(grid) for grid in tables)


def _tabular(grid: Grid) -> str:
    last = len(grid.header) - grid.folded
    figures = range(1, len(grid.header) - grid.texts)
    columns = "".join("r" if place in figures else "l" for place in range(last))
    lines = [
        r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}",
        *([rf"\noindent\textbf{{{escape(grid.title)}}}\par\smallskip"] if grid.title else []),
        rf"\noindent\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(_heading(name) for name in grid.header[:last]) + r" \\",
        r"\midrule",
        *(_row(row, grid.header[last:]) for row in grid.rows),
        *([r"\midrule"] if grid.below and grid.rows else []),
        *(_row(row, grid.header[last:]) for row in grid.below),
        r"\bottomrule",
        r"\end{tabular}\par\smallskip",
        *(rf"\noindent {escape(note)}\par" for note in grid.notes),
        r"\endgroup\bigskip",
    ]
    return "".join(f"{line}\n" for line in lines)


def _heading(name: str) -> str:
    r"""Put the unit on a second line: ``truncated`` over ``\%``."""
    word, unit, _ = escape(name).partition(r" \%")
    return rf"\shortstack[r]{{{word}\\\%}}" if unit else word


def _row(row: tuple[Field, ...], folded: tuple[str, ...]) -> str:
    """Write one run: its fields, and in a second line what is small or folded below the first."""
    last = len(row) - len(folded)
    below = zip(folded, row[last:], strict=True)
    first = ", ".join(f"{name} {escape(field.text)}" for name, field in below)
    small = [first, *(escape(field.small) for field in row[1:last])]
    lines = " & ".join(_field(field) for field in row[:last]) + r" \\"
    if any(small):
        lines += "\n" + " & ".join(rf"{{\tiny {text}}}" if text else "" for text in small) + r" \\"
    return lines


def _field(field: Field) -> str:
    return rf"\textbf{{{escape(field.text)}}}" if field.strong else escape(field.text)


def escape(text: str) -> str:
    """Write a text so that LaTeX prints it as it is; a line that starts with ``[`` included."""
    safe = "".join(_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
    return f"{{}}{safe}" if safe.startswith("[") else safe
