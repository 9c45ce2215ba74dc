"""Prepares a reply for the rules that read an option from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.scoring.flexible.mentions import letter_mentions, negated
from harness.scoring.flexible.normal import plain
from harness.scoring.flexible.wordings import Wordings
from harness.scoring.flexible.words import Sentence, joined, sentences

_RIGHT, _WRONG = r"(?i:yes)|\u2705|\u2713|\u2714", r"(?i:no)|\u274c|\u2717|\u2718"
"""What stands behind a letter where each option gets a verdict: ``A? No. B? Yes.``"""
AMBIGUOUS = "?"
"""What a rule finds in a reply that names several options where it should name one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in the forms in which the rules read it."""

    text: str
    """Without Markdown and LaTeX around words, and without an echo of the options."""
    sentences: tuple[Sentence, ...]
    known: tuple[str, ...]
    """Letters of the options."""
    wordings: Wordings


def make_reply(text: str, known: tuple[str, ...], wordings: Wordings) -> Reply:
    """Prepare a reply for the rules."""
    text = joined(plain(text))
    one = f"([{''.join(known)}])"
    if wordings.alone("yes") is None:
        right, wrong = (
            rf"(?<!\w){one}\s*[?:]?\s*(?:{_RIGHT})",
            rf"(?<!\w){one}\s*[?:]?\s*(?:{_WRONG})",
        )
        text = re.sub(rf"{right}(?!\w)[.,]?", r"\1 is correct.", text)
        text = re.sub(rf"{wrong}(?!\w)[.,]?", r"\1 is wrong.", text)
    text = re.sub(rf"\AA:\s*{one}\W*\Z", r"\1", _without_echo(text, known))  # a transcript: Q, A
    text = re.sub(rf"(?<![\w/]){one}\s*/\s*{one}(?![\w/])", r"\1 or \2", text)
    text = re.sub(r":[ \t]*\n+[ \t]*", ": ", text)
    return Reply(text, tuple(sentences(text)), known, wordings)


ECHO = re.compile(
    r"^[ \t]*(?:(?:the )?(?:options|choices)(?: are)?:?[ \t]*)?[(\[]?([A-Z])[.):\]][ \t]*\S.*$",
    re.MULTILINE | re.IGNORECASE,
)


def _without_echo(text: str, known: Sequence[str]) -> str:
    """Return a text without a list of its question's options in their order."""
    lines = list(ECHO.finditer(text))
    for first in range(len(lines) - len(known) + 1):
        run = lines[first : first + len(known)]
        between = (text[a.end() : b.start()] for a, b in pairwise(run))
        if [line[1] for line in run] == list(known) and not any(map(str.strip, between)):
            return (text[: run[0].start()] + text[run[-1].end() :]).strip()
    return text


def taken_back(reply: Reply, sentence: str, start: int, end: int) -> bool:
    """Return whether a sentence takes a letter back; the option's wording may follow the letter."""
    spans = [(one.start, one.end) for one in letter_mentions(sentence, reply.known)]
    worded = [(one.start, one.end) for one in reply.wordings.named(sentence)]
    return negated(sentence, start, end, [*spans, *worded])
