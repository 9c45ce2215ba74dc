"""Moves the options of a multiple-choice question, and reads which option a stored answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.schema import Kind, Sample
from harness.scoring.answers import letter_of, letters

_REFERS = re.compile(
    r"\b(?i:all|none|both|any|either|neither|some|two|three)\s+(?i:of\s+)?(?i:the\s+)?"
    r"(?i:above|below|following|others?|options?|choices?|answers?|statements?)\b"
    r"|\b(?i:options?|choices?|answers?)\s+\(?[A-Z]\b"
    r"|(?<![\w'])\(?[A-H]\)?\s*(?:,|and|or|&)\s*\(?[A-H]\)?(?![\w'])",
)
"""Options about other options: moved, ``all of the above`` and ``both A and B`` mean others."""
_LETTER_FIRST = re.compile(r"\(?([A-Za-z])(?:[).:]|\Z)")


class FixedOptionsError(HarnessError):
    """The options of a question cannot be moved; the message says why, without the question."""


def rotate_options(sample: Sample, places: int) -> Sample:
    """Return a question whose options are moved down by some places, the last ones to the top.

    The letters stay where they are, and the gold answer is the letter at which its text is then.

    Raises:
        FixedOptionsError: It is not multiple choice, its gold answer is no letter of an option, or
            an option speaks of others or is itself another option's letter.
    """
    options, known = sample.options, letters(len(sample.options))
    if sample.kind is not Kind.MULTIPLE_CHOICE or len(options) < 2:
        raise FixedOptionsError("not multiple choice")
    if sample.answer not in known:
        raise FixedOptionsError("the gold answer is not the letter of an option")
    if any(_REFERS.search(text) for text in options):
        raise FixedOptionsError("an option speaks of other options")
    if any(text.strip(" ().").upper() in known for text in options):
        raise FixedOptionsError("an option's text is the letter of an option")
    gold = letter_of((known.index(sample.answer) + places) % len(options))
    return replace(sample, options=rotate(options, places), answer=gold)


def rotate(texts: Sequence[str], places: int) -> tuple[str, ...]:
    """Return texts moved down by some places, the last ones to the top."""
    count = len(texts)
    return tuple(texts[(place - places) % count] for place in range(count))


def chosen_option(answer: str | None, options: Sequence[str]) -> int | None:
    """Return the place of the option that a stored answer names, None where it names none.

    An answer is what a scorer has read: a letter, a letter with the text behind it, an option's
    text, or a line of the prompt that ends with it.
    """
    if answer is None:
        return None
    text = answer.strip()
    found = _LETTER_FIRST.match(text)
    letter = found.group(1).upper() if found else ""
    known = letters(len(options))
    if letter in known:
        return known.index(letter)
    plain = plain_text(text)
    contents = [plain_text(option) for option in options]
    for agrees in (plain.__eq__, lambda content: bool(content) and plain.endswith(f" {content}")):
        places = [place for place, content in enumerate(contents) if agrees(content)]
        if places:
            return places[0] if len({contents[place] for place in places}) == 1 else None
    return None


def plain_text(text: str) -> str:
    """Return a text in lower case with single spaces and no full stop at its end."""
    return " ".join(text.casefold().split()).rstrip(" .")
