"""Puts letters in the place of other labels that a prompt gives its options (``Option 2``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.scoring.answers import letters


def with_letters(text: str, labels: Sequence[str]) -> str:
    """Return a reply in which every label is the option's letter in brackets.

    A reply that is nothing but the last word of a label (``2`` for ``Option 2``) is that letter.
    """
    for letter, label in zip(letters(len(labels)), labels, strict=True):
        if re.fullmatch(rf"\W*{re.escape(label.split()[-1])}\W*", text, re.IGNORECASE):
            return letter
    for letter, label in zip(letters(len(labels)), labels, strict=True):
        words = r"\s+".join(map(re.escape, label.split()))
        text = re.sub(rf"(?<!\w){words}(?!\w)[:.]?", f"({letter})", text, flags=re.IGNORECASE)
    return text
