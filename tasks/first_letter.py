"""Read the first option letter of a response, as several publishers' parsers do."""

from __future__ import annotations

import re
from collections.abc import Sequence


def read_first_letter(text: str, removed: Sequence[str], known: str) -> str | None:
    """Return the first of some letters anywhere in a response; None without one.

    Args:
        text: The response.
        removed: Introductions that are deleted first, everywhere, in this order.
        known: Letters of the options; case matters.
    """
    for introduction in removed:
        text = text.replace(introduction, "")
    found = re.search(f"[{known}]", text)
    return found.group() if found else None
