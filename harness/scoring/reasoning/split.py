"""Splits a reply into thought and answer: the one place where this happens.

The thought is everything up to the last closing mark: models write a second one after a forced end,
quote marks inside a thought, and think again. A reply whose thought is still open has no answer.
An answer may stand before the thought (VideoAuto-R1), in tags behind it (GLM-4.1V, Keye-VL), in box
tokens (GLM-4.5V) or behind a mark of the final response (Apriel).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.scoring.reasoning.marks import NAMED, closes_alone
from harness.thoughts import Marks, PromptEnd

_WRAPPERS = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<|begin_of_box|>", "<|end_of_box|>"),
)
"""What publishers write around the answer alone, in the order in which it is taken off."""
_FINAL = (
    ("[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"),
    ("<|channel|>final<|message|>", "<|return|>"),
)
_BOXED = re.compile(r"\\boxed\s*\{")


@dataclass(frozen=True, slots=True)
class Split:
    """A reply in its parts."""

    answer: str
    """What scorers read; empty where the thought was never closed."""
    thought: str | None
    """None: the model did not think."""
    finished: bool
    """False: the reply ends inside a thought."""
    end: int
    """Number of characters of the reply up to the end of the thought; 0 without one."""


def split(text: str, marks: Marks | None = None, prompt_end: PromptEnd | None = None) -> Split:
    """Split a reply.

    Args:
        text: The reply with its special tokens, without the tokens that ended it.
        marks: The marks to look for; None: all known pairs.
        prompt_end: State in which the prompt left the reply; None (not known) is read as FREE.
    """
    pairs = (marks,) if marks else tuple(NAMED.values())
    inside = prompt_end is PromptEnd.OPEN
    opens, closes = _find_marks(text, pairs)
    if not closes:
        return _split_unclosed(text, opens, inside)
    _, end = closes[-1]
    before = "" if inside or not opens or opens[0][0] > closes[0][0] else text[: opens[0][0]]
    rest, finished = text[end:], True
    again = next((at for at in opens if at[0] >= end), None)
    if again is not None:  # a second thought, which was cut
        finished = bool(rest[: again[0] - end].strip())
        rest = rest[: again[0] - end]
    answer = unwrap(rest)
    thought_from = 0
    if before.strip() and finished:
        if not answer:
            answer, thought_from = unwrap(before), opens[0][0]
        elif _BOXED.search(before):
            answer = f"{before.strip()}\n{answer}"
            thought_from = opens[0][0]
    whole = len(text) if again is not None else end
    thought = text[thought_from : closes[-1][0]]
    if again is not None:
        thought += text[again[0] :]
    return Split(answer, _without_open(thought, pairs), finished, whole)


def unwrap(text: str) -> str:
    """Return an answer without what publishers write around it.

    Of several pairs the last is taken; one that is not closed lasts until the end. Text without a
    wrapper comes back trimmed.
    """
    for opening, closing in _FINAL:
        text = text.rpartition(opening)[2].partition(closing)[0]
    for opening, closing in _WRAPPERS:
        _, opened, rest = text.rpartition(opening)
        if opened:
            text = rest.partition(closing)[0]
        elif closing in text:
            text = text.replace(closing, "")
    return text.strip()


def _split_unclosed(text: str, opens: Sequence[tuple[int, int]], inside: bool) -> Split:
    if not inside and not opens:
        return Split(unwrap(text), None, finished=True, end=0)
    pairs_end = opens[0][1] if opens and not text[: opens[0][0]].strip() else 0
    thought = text[pairs_end:].strip()
    return Split("", thought or None, finished=False, end=len(text))


def _find_marks(
    text: str, pairs: Sequence[Marks]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return where opening and closing marks begin and end, each in order."""
    opens: list[tuple[int, int]] = []
    closes: list[tuple[int, int]] = []
    for pair in pairs:
        begun = _places(text, pair.open) if pair.open else []
        opens += begun
        ended = _places(text, pair.close)
        if not closes_alone(pair):
            ended = [place for place in ended if begun and place[0] > begun[0][0]]
        closes += ended
    return sorted(opens), sorted(closes)


def _places(text: str, mark: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(re.escape(mark), text, re.IGNORECASE)]


def _without_open(thought: str, pairs: Sequence[Marks]) -> str | None:
    """Return a thought without the mark that it begins with; None where nothing is left."""
    thought = thought.strip()
    for pair in pairs:
        if pair.open and thought.lower().startswith(pair.open.lower()):
            thought = thought[len(pair.open) :].strip()
            break
    return thought or None
