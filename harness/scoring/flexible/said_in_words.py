"""Finds the option that a reply says in the option's own words."""

from __future__ import annotations

import re

from harness.scoring.flexible.reply import AMBIGUOUS, Reply
from harness.scoring.flexible.statements import IS, QUALITY, WHAT
from harness.scoring.flexible.wordings import is_hypothetical

_YES_NO = re.compile(r"\W*(yes|no)\b(?!\s+(?:answer|option|way|indication))", re.IGNORECASE)


def find_yes_or_no(reply: Reply) -> str | None:
    """Return the option *yes* or *no* with which a reply begins."""
    match = _YES_NO.match(reply.text)
    index = reply.wordings.alone(match[1]) if match else None
    return None if index is None else reply.known[index]


def find_telling_words(reply: Reply) -> str | None:
    """Return the option all of whose own words stand in the first sentence that has any."""
    for sentence in reply.sentences:
        if is_hypothetical(sentence.text):
            continue
        found = reply.wordings.told(sentence.text)
        if found:
            return reply.known[found.pop()] if len(found) == 1 else AMBIGUOUS
    return None


def find_option_alone(reply: Reply) -> str | None:
    """Return the option whose wording the reply is."""
    index = reply.wordings.alone(reply.text)
    return None if index is None else reply.known[index]


def find_stated_answer(reply: Reply) -> str | None:
    """Return the option whose wording stands behind *the answer is*."""
    for sentence in reversed(reply.sentences):
        for cue in reversed(list(_ANSWER_CUE.finditer(sentence.text))):
            rest = sentence.text[cue.end() :]
            found = _stated_indices(reply, rest)
            if len(found) == 1:
                return reply.known[found.pop()]
    return None


_ANSWER_CUE = re.compile(
    rf"\b(?:{QUALITY}\s+{WHAT}|answer)\b(?:\s+(?:to|for|of|from|in|based|that|here|given|among|"
    rf"which|regarding|about|according)\b[^.!?\n]{{0,160}}?)?{IS}",
    re.IGNORECASE,
)
_SEQUENCE = re.compile(r"\b(?:then|before|after|followed by|first)\b", re.IGNORECASE)
"""Where one thing follows another, a wording that is spread over the sentence is one of them."""
_CONCLUSION = re.compile(
    r"^(?:so|therefore|thus|hence|overall|in conclusion|in summary|to sum up|consequently|finally|"
    r"as a result|based on (?:this|these|the)|given (?:this|these))\b",
    re.IGNORECASE,
)


def _stated_indices(reply: Reply, text: str) -> set[int]:
    stated = reply.wordings.stated(text)
    exact = {one.index for one in stated if one.exact}
    in_turn = _SEQUENCE.search(text)
    return exact if len(exact) == 1 and not in_turn else {one.index for one in stated}


def find_conclusion(reply: Reply) -> str | None:
    """Return the option that the last concluding sentence states."""
    for sentence in reversed(reply.sentences):
        if _CONCLUSION.match(sentence.text):
            found = _stated_indices(reply, sentence.text)
            if len(found) == 1:
                return reply.known[found.pop()]
    return None


def find_lead(reply: Reply) -> str | None:
    """Return the option that the first assertion states."""
    for sentence in reply.sentences:
        found = _stated_indices(reply, sentence.text)
        if len(found) > 1:
            return AMBIGUOUS
        if found and not is_hypothetical(sentence.text):
            return reply.known[found.pop()]
    return None
