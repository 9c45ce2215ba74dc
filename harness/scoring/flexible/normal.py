"""Brings texts of models into one form: no Markdown, no LaTeX commands, plain quotes."""

from __future__ import annotations

import re
import unicodedata

_FULL_WIDTH = {chr(0xFF01 + shift): chr(0x21 + shift) for shift in range(94)}
_PLAIN = str.maketrans({
    **_FULL_WIDTH,
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2212": "-",
    "\u2013": "-", "\u2014": " - ", "\u3000": " ", "\u3002": ". ", "\u3001": ", ", "\u300c": '"',
    "\u300d": '"', "\u3010": "[", "\u3011": "]", "\u2011": "-",
})  # fmt: skip
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\w*])")
_CODE = re.compile(r"`+([^`\n]+)`+")
_HEADING = re.compile(r"^\s*(?:#{1,6}|>|[-*\u2022])\s+", re.MULTILINE)
_COMMAND = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|mbox|emph|underline)"
    r"\s*\{([^{}]*)\}"
)
_SPACING = re.compile(r"\\(?:[,;:!\s]|quad\b|qquad\b|left\b|right\b|displaystyle\b)")
_DELIMITER = re.compile(r"\\[\[\]()]|\$+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")
_MOST, _HEAD = 8_000, 2_000
"""Characters of a reply that are read, and how many of them from its beginning."""
_NESTED = 4
"""How deep commands inside commands are opened."""


def shortened(text: str) -> str:
    """Return the beginning and the end of a reply that is longer than any answer.

    Only a model that repeats itself until its limit writes so much behind its thought.
    """
    return text if len(text) <= _MOST else f"{text[:_HEAD]}\n{text[-(_MOST - _HEAD) :]}"


def plain(text: str) -> str:
    """Return a text without Markdown and LaTeX around its words; a bold letter gets brackets."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).translate(_PLAIN)
    for _ in range(_NESTED):
        text, found = _COMMAND.subn(r"\1", text)
        if not found:
            break
    text = _DELIMITER.sub(" ", _SPACING.sub(" ", text))
    text = _BOLD.sub(_mark_letter, text)
    text = _CODE.sub(_mark_letter_alone, _ITALIC.sub(_mark_letter_alone, text))
    return _HEADING.sub("", text).replace("**", "").strip()


def _mark_letter(match: re.Match[str]) -> str:
    return _bracketed(match[2])


def _mark_letter_alone(match: re.Match[str]) -> str:
    return _bracketed(match[1])


def _bracketed(inner: str) -> str:
    """Put brackets around a letter that was set apart by its type."""
    inner = inner.strip()
    return f"({inner})" if re.fullmatch(r"[A-Z]", inner) else inner
