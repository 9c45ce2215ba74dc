"""Writes tables as one HTML file with sortable columns and a filter, nothing loaded from elsewhere.

A click on a column's heading sorts by it, a second click reverses the order; rows are sorted within
their block. The filter keeps the rows that have all of its words. Headings and the first column
stay in view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.board.page import page
from harness.board.table import Block, Table, TableCell
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
for (const button of document.querySelectorAll("thead button"))
  button.addEventListener("click", () => sort(button.closest("th")));
function filter(input) {
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0, all = 0;
  for (const row of document.querySelectorAll("table.sortable tbody:not(.title) tr")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    all += 1;
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = words.length ? `${shown} of ${all} rows` : "";
}
const input = document.getElementById("filter");
input.addEventListener("input", () => {
  filter(input);
  history.replaceState(null, "", input.value ? "#filter=" + encodeURIComponent(input.value) : "#");
});
if (location.hash.startsWith("#filter=")) {
  input.value = decodeURIComponent(location.hash.slice(8));
  filter(input);
}
"""
_FILTER = (
    '<p class="tools"><label>Filter rows <input id="filter" type="search" autocomplete="off">'
    '</label> <span id="shown" role="status"></span></p>\n'
)


def to_html(tables: list[Table]) -> str:
    """Write the page."""
    body = "".join(map(_format_section, tables))
    return page("Leaderboard", _FILTER + body, script=_SCRIPT)


def _format_section(table: Table) -> str:
    columns = range(len(table.header))
    classes = ["figure" if column in table.number_columns else "text" for column in columns]
    heading = f"<h2>{for_html(table.title)}</h2>\n" if table.title else ""
    head = "".join(
        f'<th class="{kind}" scope="col"><button type="button">{for_html(name)}</button></th>'
        for kind, name in zip(classes, table.header, strict=True)
    )
    bodies = "".join(line for block in table.blocks for line in _format_block(block, classes))
    notes = "".join(f"<li>{for_html(note)}</li>\n" for note in table.notes)
    return (
        f'{heading}<div class="wide" tabindex="0" role="region" aria-label="'
        f'{for_html(table.title or "Scores")}"><table class="sortable">\n'
        f"<thead><tr>{head}</tr></thead>\n{bodies}</table></div>\n"
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
    )


def _format_block(block: Block, classes: Sequence[str]) -> Iterator[str]:
    """Yield a body with the rows, and before it one with the title, which sorting leaves alone."""
    if block.title:
        yield (
            f'<tbody class="title"><tr><th colspan="{len(classes)}" scope="rowgroup">'
            f"{for_html(block.title)}</th></tr></tbody>\n"
        )
    yield '<tbody class="below">\n' if block.dim else '<tbody class="block">\n'
    for row in block.rows:
        cells = (_format_cell(cell, kind) for cell, kind in zip(row, classes, strict=True))
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody>\n"


def _format_cell(cell: TableCell, kind: str) -> str:
    sort = "" if cell.sort is None else f' data-sort="{cell.sort!r}"'
    text = for_html(cell.text)
    text = f'<a href="{for_html(cell.link)}">{text}</a>' if cell.link else text
    text = f'<b class="best">{text}</b>' if cell.strong else text
    small = f" <small>{for_html(cell.small)}</small>" if cell.small else ""
    return f'<td class="{kind}"{sort}>{text}{small}</td>'
