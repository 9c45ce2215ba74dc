"""The board as one HTML file: styles and script inside, nothing loaded from anywhere.

A click on a column's heading sorts by it, a second click turns the order round. Rows below the
rule are sorted among themselves and stay below.
"""

from __future__ import annotations

from html import escape

from harness.board.grid import Field, Grid

_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2430; background: #fff; margin: 2rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; }
th { cursor: pointer; border-bottom: 2px solid #1c2430; white-space: nowrap; user-select: none; }
th:hover, th:focus { background: #eef3f8; }
th[aria-sort=ascending]::after { content: " \\25B2"; }
th[aria-sort=descending]::after { content: " \\25BC"; }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody tr:nth-child(even) { background: #f6f8fa; }
tbody.below { border-top: 2px solid #1c2430; color: #68727f; }
small { color: #68727f; } .best { color: #0a6b3b; }
ul { color: #4a5461; padding-left: 1.2rem; max-width: 70rem; }
"""

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


def to_html(tables: list[Grid]) -> str:
    """Write the page."""
    body = "".join(_section(grid) for grid in tables)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Leaderboard</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Leaderboard</h1>\n{body}<script>\n{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _section(grid: Grid) -> str:
    classes = ["figure" if 0 < place < len(grid.header) - grid.texts else "text"
               for place in range(len(grid.header))]  # fmt: skip
    heading = f"<h2>{escape(grid.title)}</h2>\n" if grid.title else ""
    head = "".join(
        f'<th class="{kind}">{escape(name)}</th>'
        for kind, name in zip(classes, grid.header, strict=True)
    )
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in grid.notes)
    return (
        f'{heading}<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{_rows(grid.rows, classes)}</tbody>\n"
        + (f'<tbody class="below">\n{_rows(grid.below, classes)}</tbody>\n' if grid.below else "")
        + "</table></div>\n"
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
    )


def _rows(rows: tuple[tuple[Field, ...], ...], classes: list[str]) -> str:
    lines = []
    for row in rows:
        cells = (_cell(field, kind) for field, kind in zip(row, classes, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return "".join(lines)


def _cell(field: Field, kind: str) -> str:
    sort = "" if field.sort is None else f' data-sort="{field.sort!r}"'
    text = escape(field.text)
    text = f'<b class="best">{text}</b>' if field.strong else text
    small = f" <small>{escape(field.small)}</small>" if field.small else ""
    return f'<td class="{kind}"{sort}>{text}{small}</td>'
