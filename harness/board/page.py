"""Builds self-contained HTML pages: one style sheet, nothing loaded from elsewhere.

A content security policy forbids everything but the page's own style and script, which is named by
its hash, so that a text that was not escaped could still do nothing.
"""

from __future__ import annotations

import base64
import hashlib

from harness.text.shown import for_html

_STYLE = """\
:root { color-scheme: light dark; --ink: #1c2430; --page: #fff; --soft: #f6f8fa; --hover: #eef3f8;
  --dim: #5a6470; --good: #0a6b3b; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --page: #14181d; --soft: #1c2229;
  --hover: #28313b; --dim: #a3adb9; --good: #5fd197; --link: #8fc1ff; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--page);
  margin: 2rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; } a { color: var(--link); }
.wide { overflow: auto; max-height: 90vh; }
table { border-collapse: separate; border-spacing: 0; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; background: var(--page); }
thead th { border-bottom: 2px solid var(--ink); position: sticky; top: 0; z-index: 2;
  vertical-align: bottom; }
.sortable th:first-child, .sortable td:first-child { position: sticky; left: 0; z-index: 1;
  min-width: 8rem; max-width: 20rem; overflow-wrap: anywhere; }
.sortable thead th:first-child { z-index: 3; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit; }
thead th:hover { background: var(--hover); }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
.figure { text-align: right; font-variant-numeric: tabular-nums; }
td.figure { white-space: nowrap; }
tbody tr:nth-child(even) td { background: var(--soft); }
tbody.below td, tbody.title th { color: var(--dim); }
tbody + tbody.block tr:first-child td, tbody.title th { border-top: 2px solid var(--ink); }
tbody.title th { font-style: italic; font-weight: normal; }
small { color: var(--dim); } .best { color: var(--good); }
ul { color: var(--dim); padding-left: 1.2rem; max-width: 70rem; overflow-wrap: anywhere; }
input { font: inherit; padding: .2rem .4rem; min-width: min(20rem, 60vw); }
summary { cursor: pointer; margin: .4em 0; }
.items { width: 100%; table-layout: fixed; } .items th:nth-child(3) { width: 40%; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
@media (max-width: 40rem) { body { margin: .8rem; }
  .sortable th:first-child, .sortable td:first-child { min-width: 6rem; max-width: 8rem; } }
@media print { .tools { display: none; } .wide { max-height: none; overflow: visible; } }
"""


def page(title: str, body: str, *, script: str = "") -> str:
    """Return an HTML page.

    Args:
        title: Plain text; it is also the page's heading.
        body: HTML below the heading; texts in it must be escaped.
        script: JavaScript that runs at the end.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{for_html(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{for_html(title)}</h1>\n{body}</main>\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )
