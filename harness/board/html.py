"""Writes tables as one HTML file with sortable columns, nothing loaded from elsewhere.

A click on a column's heading sorts by it, a second click reverses the order. Runs that are not
ranked are sorted among themselves and stay below the ranked ones.
"""

from __future__ import annotations

from harness.board.page import page
from harness.board.table import Table, TableCell
from harness.text.shown import for_html

_SCRIPT = """\
function key(row, column) {
  const cell = row.cells[column];
  return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.toLowerCase();
}
function compare(a, b, down) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  const order = a < b ? -1 : a > b ? 1 : 0;
  return down ? -order : order;
}
function sort(head) {
  const first = head.classList.contains("figure") ? "descending" : "ascending";
  const other = first === "descending" ? "ascending" : "descending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const cell of head.parentNode.cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  for (const body of head.closest("table").tBodies) {
    const rows = [...body.rows].sort((a, b) =>
      compare(key(a, head.cellIndex), key(b, head.cellIndex), order === "descending"));
    body.append(...rows);
  }
}
for (const head of document.querySelectorAll("th")) {
  head.tabIndex = 0;
  head.addEventListener("click", () => sort(head));
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(head); });
}
"""


def to_html(tables: list[Table]) -> str:
    """Write the page."""
    body = "".join(map(_format_section, tables))
    return page("Leaderboard", f"{body}<script>\n{_SCRIPT}</script>\n")


def _format_section(table: Table) -> str:
    columns = range(len(table.header))
    classes = ["figure" if column in table.number_columns else "text" for column in columns]
    heading = f"<h2>{for_html(table.title)}</h2>\n" if table.title else ""
    head = "".join(
        f'<th class="{kind}">{for_html(name)}</th>'
        for kind, name in zip(classes, table.header, strict=True)
    )
    below = _format_rows(table.below, classes)
    notes = "".join(f"<li>{for_html(note)}</li>\n" for note in table.notes)
    return (
        f'{heading}<div class="wide"><table class="sortable">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{_format_rows(table.rows, classes)}</tbody>\n"
        + (f'<tbody class="below">\n{below}</tbody>\n' if table.below else "")
        + "</table></div>\n"
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
    )


def _format_rows(rows: tuple[tuple[TableCell, ...], ...], classes: list[str]) -> str:
    lines = []
    for row in rows:
        cells = (_format_cell(cell, kind) for cell, kind in zip(row, classes, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return "".join(lines)


def _format_cell(cell: TableCell, kind: str) -> str:
    sort = "" if cell.sort is None else f' data-sort="{cell.sort!r}"'
    text = for_html(cell.text)
    text = f'<b class="best">{text}</b>' if cell.strong else text
    small = f" <small>{for_html(cell.small)}</small>" if cell.small else ""
    return f'<td class="{kind}"{sort}>{text}{small}</td>'
