r"""Writes data as script files, which a page that was opened from a disk may load.

Browsers refuse `fetch` on ``file://``. A script file calls one function with one JSON value. In it
``<``, ``>`` and ``&`` are written as ``\u003c`` and so on, as are the line separators U+2028 and
U+2029, so that no text can end a script element or a string; the value stays equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.files import write_atomically
from harness.text.shown import for_terminal
from harness.text.stored import storable

RECEIVER = "videor1.receive"
"""The function that the page's scripts define: takes a name, a number and a value."""

_ESCAPED = {mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


def write_script(folder: Path, name: str, value: Any, number: int = 0) -> int:
    """Write ``NAME-NUMBER.js``, which hands a JSON value to the page; returns its bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = storable(text)
    for mark, escaped in _ESCAPED.items():
        safe = safe.replace(mark, escaped)
    content = f"{RECEIVER}({json.dumps(name)},{number},{safe});\n".encode()
    write_atomically(
        folder / f"{name}-{number}.js", lambda path: path.write_bytes(content), sync=False
    )
    return len(content)


def shown(text: str | None) -> str | None:
    """Return a text with the characters made visible that a page would obey or hide."""
    return None if text is None else for_terminal(text)
