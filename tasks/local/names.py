"""Checks the name under which a local benchmark's results are kept."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import UsageError

_NAME = re.compile(r"[^\W_][\w.+-]{0,79}")


def check_name(name: object, file: Path, advice: str) -> str:
    """Return a name that ids, folders and columns can have.

    Args:
        name: What was given.
        file: The benchmark's file, for the message.
        advice: How the user changes the name.

    Raises:
        UsageError: It is no text, or has other characters.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{file}: the benchmark's name: expected letters, digits and ._+- (80 at most), got"
            f" {name!r:.80}; {advice}"
        )
    return name
