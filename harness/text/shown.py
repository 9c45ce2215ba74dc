r"""Escapes text from outside for the medium that shows it, one function per medium.

A model's answer, an item id or a folder name may hold what a terminal obeys (ESC sequences, their
8-bit forms), what changes the order of letters on screen (bidirectional controls) or what a format
takes for its own marks. Every function first writes invisible characters as ``\x1b`` or
``\u202e``, so that a reader sees that they are there, and then escapes the marks of its medium.

Which characters: Unicode's control and format characters and line separators, as in
https://www.unicode.org/reports/tr36/ and https://trojansource.codes; joiners that emoji and Indic
scripts need (U+200C, U+200D) are kept.
"""

from __future__ import annotations

import html
import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\ufffe\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"[\\`*_\[\]|~#$]")
_MARKDOWN_BLOCK = re.compile(r"^(\d*)(?=[-+.)]\s|-{3}|={2})")
"""Before what makes a list, a rule or a heading at the start of a line."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that make a spreadsheet compute a cell; the last four are full-width forms.
Source: https://owasp.org/www-community/attacks/CSV_Injection"""
_LATEX = {
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
}


def for_terminal(text: str) -> str:
    """Escape what a terminal would obey; line breaks and tabs are kept."""
    return _INVISIBLE.sub(_escape_visibly, text)


def shortened(text: str, most: int = 300) -> str:
    """Return a text for a table or a note; of a longer one the start, and how long it is."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text):,} characters)"


def one_line(text: str) -> str:
    """Escape for a terminal, on one line: runs of white space become one space."""
    return " ".join(for_terminal(text).split())


def for_markdown(text: str) -> str:
    """Escape so that GitHub Markdown shows the text unchanged, on one line of a table or list."""
    safe = html.escape(one_line(text), quote=False)
    return _MARKDOWN_BLOCK.sub(r"\1\\", _MARKDOWN.sub(r"\\\g<0>", safe))


def for_html(text: str) -> str:
    """Escape for the content and the quoted attributes of HTML elements; line breaks are kept."""
    return html.escape(for_terminal(text))


def for_latex(text: str) -> str:
    """Escape so that LaTeX prints the text unchanged, even where a line starts with ``[``."""
    safe = "".join(_LATEX.get(letter, letter) for letter in one_line(text))
    return f"{{}}{safe}" if safe.startswith("[") else safe


def for_csv(value: object) -> object:
    """Return a CSV cell that no spreadsheet computes; numbers and other values are kept."""
    if not isinstance(value, str):
        return value
    safe = f"'{value}" if value.startswith(_FORMULA) else value
    return for_terminal(safe)


def for_xml(text: str) -> str:
    """Replace what XML cannot hold and a viewer would obey; a writer of XML escapes the rest."""
    return for_terminal(text)


def for_json(document: str) -> str:
    r"""Escape the invisible characters of a JSON document as ``\u009b``; its content stays equal.

    JSON allows them only inside strings, so that the escaped document means the same.
    """
    return _INVISIBLE.sub(_escape_in_json, document)


def _escape_visibly(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
