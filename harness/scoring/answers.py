"""Reading an answer out of a model's text; one function per rule, each with its source.

Used by benchmark scorers and by training rewards alike.
"""

from __future__ import annotations

from string import ascii_uppercase


def answer_tag(text: str) -> str | None:
    r"""Return the trimmed content of the first ``<answer>`` pair, None without a pair.

    Tags are case-sensitive and the content is the shortest one (Video-R1, ``eval_bench.py``). The
    original is the regular expression ``<answer>\s*(.*?)\s*</answer>``, which finds the same but
    takes cubic time on an unclosed tag before white space: minutes for one degenerate reply.
    """
    _, opened, rest = text.partition("<answer>")
    content, closed, _ = rest.partition("</answer>")
    return content.strip() if opened and closed else None


def answer_or_text(text: str) -> str:
    """Return the tagged answer, or the whole trimmed text where that is missing or empty.

    This fallback is Video-R1's evaluation rule; its training reward takes an empty answer instead.
    """
    return answer_tag(text) or text.strip()


def letters(count: int) -> tuple[str, ...]:
    """Return the first `count` option letters, A B C ..."""
    if not 0 <= count <= len(ascii_uppercase):
        raise ValueError(f"expected 0 to 26 options, got {count}")
    return tuple(ascii_uppercase[:count])


def letter_of(index: int) -> str:
    """Return the letter of the option at a 0-based position."""
    return letters(index + 1)[-1]


def number(text: str) -> float | None:
    """Read a bare number after removing commas, None where the text is anything else.

    Video-R1's rule: no units, no words. ``nan`` and infinities are not answers.
    """
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
