"""Reads the option that a reply chooses: rules from the most explicit to the least.

Each rule finds at most one option or none; the first rule that finds one decides. Where a rule sees
that a reply names several options at once, nothing is read: a hedge is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.scoring.answers import letters
from harness.scoring.flexible.marked import marked_parts, without_marked
from harness.scoring.flexible.normal import shortened
from harness.scoring.flexible.reply import AMBIGUOUS, Reply, make_reply
from harness.scoring.flexible.said_in_words import (
    find_conclusion,
    find_lead,
    find_option_alone,
    find_stated_answer,
    find_telling_words,
    find_yes_or_no,
)
from harness.scoring.flexible.statements import (
    find_first_letter,
    find_only_letter,
    find_single_letter,
    find_statement,
)
from harness.scoring.flexible.wordings import Wordings

Find = Callable[[Reply], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which replies say their choice."""

    name: str
    reads: str
    """What it reads, with an example; for the documentation."""
    find: Find


@dataclass(frozen=True, slots=True)
class Choice:
    """The option that a reply chooses, and the rule that found it."""

    letter: str
    rule: str


def read_choice(text: str, options: Sequence[str], count: int = 0) -> Choice | None:
    """Return the option that a reply without its thought chooses; None: it chooses none.

    Args:
        text: The reply.
        options: The options' wordings without letters.
        count: Number of letters where the wordings are not known.
    """
    known, text = letters(len(options) or count), shortened(text)
    wordings = Wordings(options)
    for name, part in marked_parts(text):
        inner = _read(make_reply(part, known, wordings))
        if inner is not None:
            return Choice(inner.letter, name) if inner.letter != AMBIGUOUS else None
        if name == "answer-tag":
            return None
    found = _read(make_reply(without_marked(text), known, wordings))
    return None if found is None or found.letter == AMBIGUOUS else found


def _read(reply: Reply) -> Choice | None:
    for rule in RULES:
        found = rule.find(reply)
        if found is not None:
            return Choice(found, rule.name)
    return None


RULES: tuple[Rule, ...] = (
    Rule("only-letter", "nothing but a letter: `B`, `(b)`, `**B**`", find_only_letter),
    Rule(
        "statement",
        "the last explicit statement: `The answer is (B)`, `So B.`, `B is correct`, a line `B`",
        find_statement,
    ),
    Rule("first-letter", "a letter that begins the reply: `B. moving right`", find_first_letter),
    Rule("single-letter", "the only letter that is not taken back: `it moves right (B)`",
         find_single_letter),
    Rule("yes-or-no", "*yes* or *no* at the beginning, where these are the options",
         find_yes_or_no),
    Rule("option-alone", "an option's wording and nothing else", find_option_alone),
    Rule("stated-answer", "an option's wording behind *the answer is*", find_stated_answer),
    Rule("conclusion", "an option's wording in a sentence with *so*, *therefore*",
         find_conclusion),
    Rule("lead", "an option's wording in the first assertion", find_lead),
    Rule("telling-words", "all words that only one option has, in one sentence",
         find_telling_words),
)  # fmt: skip
