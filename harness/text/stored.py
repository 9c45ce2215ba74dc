r"""Makes text storable: every writer (JSON Lines, Parquet, CSV, XML) accepts what comes out.

Half a UTF-16 pair is the one thing in a Python string that UTF-8 cannot hold. JSON writes it as
``\ud83d``, and servers that cut a text in the middle of an emoji send it; file names that are not
UTF-8 contain it too. Two halves that belong together become their character, a single half becomes
U+FFFD. NUL and other control characters are valid text and are kept: a scorer reads what the model
said. They are escaped where text is shown (`harness.text.shown`).
"""

from __future__ import annotations

import json
import re
from typing import Any

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """Return a text without halves of UTF-16 pairs; most texts are returned as they are."""
    if text.isascii() or not _HALF.search(text):
        return text
    return _HALF.sub(_REPLACEMENT, _PAIR.sub(_join_pair, text))


def storable_json(value: Any) -> Any:
    """Return a JSON value whose texts and keys are storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def as_text(value: Any) -> str:
    """Return a text as it is, any other JSON value as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _join_pair(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")
