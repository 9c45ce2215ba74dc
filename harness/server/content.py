"""Reads JSON and texts of a server, which may hold anything."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_MOST_WORDS = 500
_TITLE = re.compile(r"<(?:title|h1)[^>]*>(.*?)</", re.IGNORECASE | re.DOTALL)


def parse_json(body: bytes) -> Any:
    """Parse JSON; raise `ValueError` for anything else, however deep or long it is.

    Bytes that are not UTF-8 are replaced, and line breaks inside texts are taken as they are.
    """
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def valid_text(text: str) -> str:
    """Replace halves of UTF-16 pairs, which no file can hold; all else stays."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def short_words(text: str) -> str:
    """Return a server's words in one line, without control characters, cut at 500 characters."""
    text = valid_text(text[: 20 * _MOST_WORDS])
    spaced = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    line = " ".join(spaced.split())
    return line if len(line) <= _MOST_WORDS else f"{line[:_MOST_WORDS]}..."


def words_of_body(body: bytes) -> str:
    """Return the words of a failed request whose reply is not JSON."""
    return describe_body(body).removeprefix("no JSON: ")


def describe_body(body: bytes) -> str:
    """Say in a few words what a reply is that is not JSON."""
    if not body.strip():
        return "an empty reply"
    text = body[: 1 << 16].decode("utf-8", "replace")
    if text.lstrip("\ufeff \r\n\t")[:1] == "<":
        title = _TITLE.search(text)
        return f"a web page ({short_words(title[1])})" if title else "a web page"
    return f"no JSON: {short_words(text)[:200]}"


def count_of(value: object) -> int:
    """Return a count as a server sends it; 0 (unknown) where it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value < 2**31 else 0
