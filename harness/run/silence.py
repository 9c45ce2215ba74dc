"""Finds tasks in whose answers the model said nothing at all, which a score of 0 would hide.

Weights that are damaged, an end token that comes first and logits that are NaN look like this:
every text is empty, or one character over and over (token 0 of many vocabularies is ``!``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from harness.schema import Outcome, Record

_REPEATED = 8
"""Length from which one repeated character is no answer; ``A`` and ``10`` are."""


def find_silence(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each task whose every answered item has a text that says nothing."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.outcome is not Outcome.FAILED:
            texts[record.task].append((record.text or "").strip())
    return [
        f"{task}: every answer ({len(found)} of {len(found)}) {_describe(found)}; the model said"
        " nothing: check its weights, end tokens and chat template"
        for task, found in texts.items()
        if all(map(_says_nothing, found))
    ]


def _says_nothing(text: str) -> bool:
    return not text or (len(text) >= _REPEATED and len(set(text)) == 1)


def _describe(texts: list[str]) -> str:
    shown = next(filter(None, texts), None)
    return "is empty" if shown is None else f"is empty or {shown[0]!r} over and over"
