"""Remove the labels that options of published rows begin with: the prompt adds its own letters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.scoring.answers import letters
from harness.scoring.prompts import unlettered

_CLEAR = (
    r"\(\s*(\w{1,2})\s*\)\s*",
    r"\[\s*(\w{1,2})\s*\]\s*",
    r"<(\w)>\s*",
    r"\*\*(\w)[.):]?\*\*[.):]?\s*",
    r"(?:option|choice)\s+(\w{1,2})\s*[.:)]\s*",
    r"(\w{1,2})\)\s*",
    r"([a-z])\s*[:\uff1a]\s+",
    r"([a-z])[.\uff0e\u3001]\s+",
)
"""Forms that an option without a label rarely begins with."""
_IN_ORDER = (
    *_CLEAR,
    r"([a-z])\s*[.:\uff0e\u3001\uff1a]\s*",
    r"(\d{1,2})\s*[.:]\s+",
    r"(\d{1,2})\s*[\uff0e\u3001\uff1a]\s*",
    r"(\w{1,2})\s+[-\u2013\u2014]\s+",
    r"([a-z])\s+",
)
"""Forms that are labels where every option has the next one."""


def unlabelled(options: Sequence[str]) -> tuple[str, ...]:
    """Return the option texts without their labels: ``A. left``, ``(A) left``, ``a) left``.

    Labels are letters, small letters or numbers, in order and of one form. Options without labels
    stay as they are.

    Raises:
        ValueError: Some options have labels, and these are not the first letters in order.
    """
    bare = unlettered(options)
    if bare != tuple(options):
        return bare
    for form in _IN_ORDER:
        matches = [re.match(form, option, re.IGNORECASE) for option in options]
        found = [match[1] if match else "" for match in matches]
        texts = tuple(
            option[match.end() if match else 0 :]
            for option, match in zip(options, matches, strict=True)
        )
        if found in _orders(len(options)) and all(texts):
            return texts
    labels = [_clear_label(option) for option in options]
    own = [label == letter for label, letter in zip(labels, letters(len(options)), strict=True)]
    if any(own) or sum(label is not None for label in labels) > 1:
        got = ", ".join((option.split() or [""])[0][:10] for option in options)
        raise ValueError(f"expected the letters {', '.join(letters(len(options)))}, got {got}")
    return tuple(options)


def _orders(count: int) -> list[list[str]]:
    """Return what labels of so many options are: letters, small letters, numbers."""
    capital = list(letters(count))
    return [capital, [one.lower() for one in capital], [str(n + 1) for n in range(count)]]


def _clear_label(option: str) -> str | None:
    """Return the letter that an option is labelled with beyond doubt, None without one."""
    for form in _CLEAR:
        match = re.match(form, option, re.IGNORECASE)
        if match and re.fullmatch(r"[A-Za-z]", match[1]):
            return match[1].upper()
    return None
