"""Extracts answers from a model's text; one function per rule, each with its source.

Benchmark scorers and training rewards use the same functions.
"""

from __future__ import annotations

from string import ascii_uppercase

MAX_OPTIONS = len(ascii_uppercase)
"""Options have letters."""


def answer_tag(text: str) -> str | None:
    r"""Return the trimmed content of the first ``<answer>`` pair; None without a pair.

    Tags are case-sensitive, the content is the shortest possible (Video-R1, ``eval_bench.py``). The
    original regular expression ``<answer>\s*(.*?)\s*</answer>`` finds the same, but needs cubic
    time for an unclosed tag before white space: minutes for one degenerate response.
    """
    span = answer_span(text)
    return None if span is None else text[slice(*span)]


def answer_span(text: str) -> tuple[int, int] | None:
    """Return the places of the answer that `answer_tag` returns, as of a slice of the text."""
    before, opened, rest = text.partition("<answer>")
    content, closed, _ = rest.partition("</answer>")
    if not (opened and closed):
        return None
    start = len(before) + len(opened) + len(content) - len(content.lstrip())
    return start, start + len(content.strip())


def answer_or_text(text: str) -> str:
    """Return the tagged answer, or the whole trimmed text if it is missing or empty.

    This is the rule of Video-R1's evaluation; its training reward uses an empty answer instead.
    """
    return answer_tag(text) or text.strip()


def letters(count: int) -> tuple[str, ...]:
    """Return the first `count` option letters, A B C ..."""
    if not 0 <= count <= MAX_OPTIONS:
        raise ValueError(f"expected 0 to 26 options, got {count}")
    return tuple(ascii_uppercase[:count])


def letter_of(index: int) -> str:
    """Return the letter of the option at a 0-based position."""
    return letters(index + 1)[-1]


def number(text: str) -> float | None:
    """Return the number that a text consists of, without commas; None for any other text.

    Video-R1's rule: no units, no words. ``nan`` and infinity are not answers.
    """
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
