"""Builds self-contained HTML pages: one style sheet, nothing loaded from elsewhere."""

from __future__ import annotations

from harness.text.shown import for_html

_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2430; background: #fff; margin: 2rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #1c2430; white-space: nowrap; }
.sortable th { cursor: pointer; user-select: none; }
.sortable th:hover, .sortable th:focus { background: #eef3f8; }
th[aria-sort=ascending]::after { content: " \\25B2"; }
th[aria-sort=descending]::after { content: " \\25BC"; }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody tr:nth-child(even) { background: #f6f8fa; }
tbody.below { border-top: 2px solid #1c2430; color: #68727f; }
small { color: #68727f; } .best { color: #0a6b3b; }
ul { color: #4a5461; padding-left: 1.2rem; max-width: 70rem; }
summary { cursor: pointer; margin: .4em 0; }
.items { width: 100%; table-layout: fixed; } .items th:nth-child(3) { width: 40%; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
"""


def page(title: str, body: str) -> str:
    """Return an HTML page.

    Args:
        title: Plain text; it is also the page's heading.
        body: HTML below the heading; texts in it must be escaped.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{for_html(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{for_html(title)}</h1>\n{body}</body>\n</html>\n"
    )
