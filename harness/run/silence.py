"""Finds tasks in whose answers the model said nothing at all, which a score of 0 would hide.

Weights that are damaged, an end token that comes first and logits that are NaN look like this:
every text is empty, or one character over and over (token 0 of many vocabularies is ``!``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from harness.schema import Outcome, Record
from harness.thoughts import ThoughtEnd

_LOST = {
    ThoughtEnd.KEPT: "the server sent every reply as reasoning, without an answer, although the"
    " model stopped by itself; its --reasoning-parser may not fit the model: start it without one",
    ThoughtEnd.NEVER: "every reply ends inside its thought; raise --max-tokens, bound the thought"
    " (--thinking-budget), or switch it off (--template-arg)",
}
_REPEATED = 8
"""Length from which one repeated character is no answer; ``A`` and ``10`` are."""


def find_silence(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each task whose every answered item has a text that says nothing."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.outcome is not Outcome.FAILED:
            texts[record.task].append((record.text or record.reasoning or "").strip())
    return [
        f"{task}: every answer ({len(found)} of {len(found)}) {_describe(found)}; the model said"
        " nothing: check its weights, end tokens and chat template"
        for task, found in texts.items()
        if all(map(_says_nothing, found))
    ]


def find_lost_answers(records: Iterable[Record]) -> list[str]:
    """Return a sentence for each task none of whose replies has an answer behind its thought."""
    ends: defaultdict[str, list[ThoughtEnd | None]] = defaultdict(list)
    for record in records:
        if record.outcome is not Outcome.FAILED:
            ends[record.task].append(record.thought_end)
    return [
        f"{task}: {_LOST[found[0]]}"
        for task, found in ends.items()
        if found[0] in _LOST and len(set(found)) == 1
    ]


def _says_nothing(text: str) -> bool:
    return not text or (len(text) >= _REPEATED and len(set(text)) == 1)


def _describe(texts: list[str]) -> str:
    shown = next(filter(None, texts), None)
    return "is empty" if shown is None else f"is empty or {shown[0]!r} over and over"
