"""Finds which option a sentence states in words.

An option is stated where the words that tell it from the other options stand in the sentence in
their order, close together. Words that all options share need not be repeated, and small words in
between do not matter (``drawing his sword from the sheath`` for ``drawing sword from sheath``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.scoring.flexible.mentions import negated
from harness.scoring.flexible.words import words

_GAP = 3
"""Most words of the sentence between two words of an option."""
_SPAN = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SMALL = frozenset(
    {
        "in",
        "on",
        "to",
        "of",
        "from",
        "at",
        "by",
        "with",
        "and",
        "or",
        "not",
        "no",
        "up",
        "down",
        "out",
        "off",
        "over",
        "under",
        "into",
        "onto",
        "then",
        "for",
        "as",
        "both",
        "all",
        "one",
        "1",
        "same",
        "than",
        "each",
        "other",
    }
)
"""Words that stand in many sentences and tell no option alone."""
_NEGATIONS = frozenset({"not", "no", "never", "nor", "neither", "without", "instead", "rather"})
_HYPOTHETICAL = re.compile(
    r"\b(?:would|could|might|if|suggest\w*|imply|implies|typically|usually|whether)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Stated:
    """An option that a sentence states."""

    index: int
    """Position of the option."""
    start: int
    end: int
    exact: bool
    """All words of the option are there, without others in between."""


class Wordings:
    """The wordings of a question's options."""

    def __init__(self, options: Sequence[str]) -> None:
        self._full = [words(option) for option in options]
        self._cores = _distinguishing(self._full)
        self._own = _own_words(self._full)
        self._read: tuple[str, list[Stated]] = ("", [])

    def named(self, sentence: str) -> list[Stated]:
        """Return the options whose wordings stand in a sentence, also those it takes back."""
        if self._read[0] != sentence:  # the rules ask for one sentence many times
            self._read = (sentence, self._found(sentence))
        return self._read[1]

    def told(self, sentence: str) -> set[int]:
        """Return the options all of whose own words stand in a sentence, not taken back."""
        tokens = _tokens(sentence)
        places = {word: (start, end) for word, start, end in tokens}
        found = set()
        for index, own in enumerate(self._own):
            if own and all(word in places for word in own):
                spans = [places[word] for word in own]
                if not any(negated(sentence, *span) for span in spans):
                    found.add(index)
        return found

    def stated(self, sentence: str) -> list[Stated]:
        """Return the options that a sentence states and does not take back."""
        found = self.named(sentence)
        spans = [(one.start, one.end) for one in found]
        return [one for one in found if not negated(sentence, one.start, one.end, spans)]

    def alone(self, text: str) -> int | None:
        """Return the option whose wording a text is."""
        read = words(text)
        same = [index for index, full in enumerate(self._full) if full and full == read]
        return same[0] if len(same) == 1 else None

    def _found(self, sentence: str) -> list[Stated]:
        tokens = _tokens(sentence)
        found = []
        for index, (full, core) in enumerate(zip(self._full, self._cores, strict=True)):
            for wanted, exact in ((full, True), (core, False)):
                if not wanted or (not exact and not _is_telling(wanted)):
                    continue
                for first, last in _runs(tokens, wanted, 0 if exact else _GAP):
                    found.append(Stated(index, tokens[first][1], tokens[last][2], exact))
                if any(one.index == index for one in found):
                    break
        return _largest(found)


def is_hypothetical(sentence: str) -> bool:
    """Return whether a sentence says what would be the case, not what is."""
    return bool(_HYPOTHETICAL.search(sentence))


def _distinguishing(full: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the words of each option without the beginning and the end that all share."""
    if len(full) < 2 or not all(full):
        return list(full)
    shortest = min(map(len, full))
    head = next((n for n in range(shortest) if len({one[n] for one in full}) > 1), shortest)
    rest = shortest - head
    tail = next((n for n in range(rest) if len({one[-1 - n] for one in full}) > 1), rest)
    cores = [one[head : len(one) - tail] for one in full]
    return cores if all(cores) and len(set(cores)) == len(cores) else list(full)


def _own_words(full: Sequence[tuple[str, ...]]) -> list[frozenset[str]]:
    """Return the words that only one option has; none where all of these are small words."""
    own = []
    for index, option in enumerate(full):
        others = {word for at, one in enumerate(full) if at != index for word in one}
        words_of_it = frozenset(option) - others
        own.append(words_of_it if words_of_it - _SMALL else frozenset())
    return own


def _is_telling(core: Sequence[str]) -> bool:
    """Return whether words are enough to tell an option by: more than a single short word."""
    return len(core) > 1 or len(core[0]) > 2 or core[0].isdigit()


def _tokens(sentence: str) -> list[tuple[str, int, int]]:
    """Return the words of a sentence in the form of `words`, with their places."""
    found = []
    for match in _SPAN.finditer(sentence):
        found += [(word, match.start(), match.end()) for word in words(match[0])]
    return found


def _runs(
    tokens: Sequence[tuple[str, int, int]], wanted: Sequence[str], gap: int
) -> list[tuple[int, int]]:
    """Return where words stand in order with at most `gap` others between two of them."""
    found = []
    for first, token in enumerate(tokens):
        if token[0] != wanted[0]:
            continue
        at = first
        for word in wanted[1:]:
            nearby = range(at + 1, min(at + 2 + gap, len(tokens)))
            at = next((n for n in nearby if tokens[n][0] == word), -1)
            if at < 0 or any(tokens[n][0] in _NEGATIONS for n in nearby if n < at):
                at = -1
                break
        if at >= 0:
            found.append((first, at))
    return found


def _largest(found: Sequence[Stated]) -> list[Stated]:
    """Return what is stated, without wordings inside longer ones."""
    return [
        one
        for one in found
        if not any(
            other.index != one.index
            and other.start <= one.start
            and one.end <= other.end
            and (other.end - other.start) > (one.end - one.start)
            and (other.exact or not one.exact)
            for other in found
        )
    ]
