"""Finds which options a sentence names by letter, and which mentions it takes back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_NOUN = r"(?:options?|choices?|answers?|letters?|captions?|sentences?|statements?|descriptions?)"
_VERB = (
    r"(?:is|are|was|were|be|seems?|appears?|looks?|matches|fits|says|shows|describes|because|since|"
    r"can|could|would|will|does|do|and|or|but|as|which|then|instead|over)"
)
_RESET = re.compile(
    r"[;:]|(?<=\b[A-Z])\.\s+(?=[A-Z])|\bbut\b|\bwait\b|\bactually\b|\brather\b(?!\s+than)|\binstead\b(?!\s+of)|\btherefore\b|\bthus\b|\bhence\b|"
    r"(?:,|\band)\s+(?:so|it|this|that|which|he|she|they|the|we|i)\s+(?:must|is|are|was|were|has|"
    r"have|appears?|seems?|moves?|can only)\b|,\s+(?:so|the|my|option|answer)\b|"
    r",\s+(?=(?:and\s+|but\s+)?(?:option\s+)?[A-Z]\s+(?:is|are|was|must|would|seems)\b)|"
    r"\bit(?:'s| is| must be)\b(?!\s*n[o']t)",
    re.IGNORECASE,
)
"""What ends the reach of a negation inside a sentence."""
_BEFORE = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|isn't|aren't|wasn't|doesn't|don't|didn't|can't|"
    r"rather than|instead of|unlike|as opposed to|opposed to|other than|opposite of|opposite|"
    r"excludes?|excluded|excluding|eliminates?|eliminated|eliminating|rul(?:es?|ed|ing) out|"
    r"contrary to|incorrect|wrong|false|lack of|absence of|versus|compared to)\b|n't\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"^[\s\"')\].,:]*(?:(?:(?:is|are|was|were|can|could|would|will|does|do|did|seems?|appears?|has|"
    r"have)\s+(?:be\s+|been\s+|both\s+|all\s+|also\s+|clearly\s+|therefore\s+|definitely\s+|"
    r"obviously\s+|less\s+|simply\s+)*(?:not|wrong|incorrect|false|ruled out|excluded|eliminated|"
    r"unlikely|inconsistent|impossible|out|invalid|discarded|dismissed)\b)|(?:cannot|can't|isn't|"
    r"aren't|doesn't|don't|wasn't|weren't|won't)\b)",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"(?:^|[^\w\s]|\b(?:and|or|nor|so|is|are|be|was|not|both|either|neither|than|of|with|to|as|by|for|"
    r"in|but|then|thus|hence|therefore|choose|pick|select|say|chose|picked|selected|prefer|says?|"
    r"options?|choices?|answers?|letters?|only|just|also|versus|vs|on|into|that|like|unlike|however|"
    r"between|from|while|because|since|ist|es|est|\u00e8|shows?|matches|fits|describes|supports|suggests|indicates|favou?rs|"
    r"means|\w+ly))\s*[\"'(\[]?\s*$",
    re.IGNORECASE,
)
"""What may stand before a letter on its own; behind any other word it is a name (*plan B*)."""
_MOST = 24
"""Mentions in one sentence that are looked at, the last ones."""
_LONGEST_LINK = 40
"""Characters between two options of a list."""
_LIST = re.compile(
    r"^[\s\"')\].,:]*(?:(?:and|or|nor|as well as|&)\s+)?(?:both\s+)?(?:options?\s+)?[\"'(\[]?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where a text names an option."""

    letter: str
    start: int
    end: int
    strong: bool = True
    """False: a capital letter on its own, which could be a word."""


@lru_cache(maxsize=256)
def letter_mentions(text: str, known: tuple[str, ...]) -> tuple[Mention, ...]:
    """Return the letters that a text names, in order; articles and pronouns are none."""
    found: dict[int, Mention] = {}
    for form in _forms("".join(known)):
        for match in form.pattern.finditer(text):
            at = match.start("letter")
            if not form.led or _LEADS.search(text, max(0, at - 20), at):
                mention = Mention(match["letter"], match.start(), match.end(), form.strong)
                found.setdefault(at, mention)
    return tuple(found[at] for at in sorted(found)[-_MOST:])


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write an option's letter, as a pattern."""

    pattern: re.Pattern[str]
    strong: bool
    led: bool
    """Counts only where what stands before it leads to an option."""


@lru_cache(maxsize=64)
def _forms(known: str) -> tuple[_Form, ...]:
    plain = "".join(letter for letter in known if letter not in "AI")
    words = "".join(letter for letter in known if letter in "AI")
    marked = rf"(?P<letter>[{known}])(?=[.)](?:\s|$|[A-Za-z\"(])|:\s)"
    forms = [
        (rf"[(\[]\s*(?P<letter>[{known}])\s*[)\]]", True, False),
        (rf"(?i:\b{_NOUN})\s+(?P<letter>[{known}])(?![\w'-])", True, False),
        (rf"(?<!\w)([\"'])(?P<letter>[{known}])[.,]?\1", True, False),
        (rf"^\s*{marked}", True, False),
        (rf"(?<![\w'.&-]){marked}", True, True),
    ]
    if plain:
        bare = rf"(?<![\w'/.&-])(?P<letter>[{plain}])(?![\w'/&-]|\.\w)"
        forms.append((bare, False, True))
    if words:
        word = rf"(?<![\w'/.&-])(?P<letter>[{words}])(?=\s*(?:$|[,;!?.\n]|\s{_VERB}\b))"
        forms.append((word, False, True))
    return tuple(_Form(re.compile(text, re.MULTILINE), *rest) for text, *rest in forms)


def negated(sentence: str, start: int, end: int, others: Sequence[tuple[int, int]] = ()) -> bool:
    """Return whether a sentence takes a mention back: ``not A``, ``A is wrong``, ``than A``.

    Args:
        sentence: The sentence.
        start: Where the mention begins.
        end: Where it ends.
        others: Further mentions, over which a list may run (``B, C and D are wrong``).
    """
    resets = [match.end() for match in _RESET.finditer(sentence) if match.end() <= start]
    if _BEFORE.search(sentence[resets[-1] if resets else 0 : start]):
        return True
    return bool(_AFTER.match(sentence[_list_end(sentence, end, others) :]))


def _list_end(sentence: str, end: int, others: Sequence[tuple[int, int]]) -> int:
    """Return where the list of mentions ends that a mention belongs to."""
    for begin, stop in sorted(others):
        if begin >= end:
            if begin - end > _LONGEST_LINK or not _LIST.fullmatch(sentence[end:begin]):
                break
            end = stop
    return end
