"""Splits the thought off an answer: what every scorer reads has passed through here."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from harness.schema import Completion
from harness.scoring.reasoning.marks import IN_TEXT, parse_rule
from harness.scoring.reasoning.split import Split, split
from harness.thoughts import ThoughtEnd


def split_thought(answer: Completion, rule: str) -> Completion:
    """Return an answer with its text free of the thought, which stands in `reasoning`.

    Args:
        answer: What an engine returned; a server may have split off a thought already.
        rule: `Protocol.reasoning`; ``in-text`` leaves the text as it is.
    """
    if answer.refused:
        return answer
    if answer.reasoning and not answer.text.strip():
        return replace(answer, text="", thought_end=_end_without_text(answer))
    if rule == IN_TEXT:
        return answer
    found = split(answer.text, answer.marks or parse_rule(rule), answer.prompt_end)
    return replace(
        answer,
        text=found.answer,
        reasoning=_join(answer.reasoning, found.thought),
        reasoning_tokens=_count_tokens(answer, found),
        thought_end=_end_of(answer, found),
    )


def _end_without_text(answer: Completion) -> ThoughtEnd:
    return ThoughtEnd.NEVER if answer.finish_reason == "length" else ThoughtEnd.KEPT


def _end_of(answer: Completion, found: Split) -> ThoughtEnd | None:
    if not found.finished:
        return ThoughtEnd.NEVER
    return ThoughtEnd.CLOSED if found.end or answer.reasoning else None


def _join(*thoughts: str | None) -> str | None:
    return "\n\n".join(filter(None, thoughts)) or None


def _count_tokens(answer: Completion, found: Split) -> int | None:
    """Return how many tokens end inside the thought, or what the server has counted."""
    if not found.end:
        return answer.reasoning_tokens if answer.reasoning else 0
    if not answer.token_ends:
        # Of a thought that was never closed all tokens are known; else the server may have counted.
        return answer.reasoning_tokens if found.finished else answer.output_tokens or None
    return bisect_right(answer.token_ends, found.end)
