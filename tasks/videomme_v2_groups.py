"""Score Video-MME-v2's groups of four questions, as its publisher does and as its paper means it.

Source: MME-Benchmarks/Video-MME-v2@b24176a, ``evaluation/test_video_mme_v2.py``. A group of
``relevance`` is worth 0, 6.25, 25, 56.25 or 100 points by the number of right answers. A group of
``logic`` is worth what the chain of right answers from its first question on reaches; some
structures have two questions at one step of the chain, of which either one continues it.

The publisher's script marks an answer that it cannot read with -1 and then computes with it, which
`score_group` repeats: of relevance it is subtracted from the number of right answers, in logic
it counts as right, so that four unreadable answers are worth 100 points under every structure.
After `without_unread` such an answer is a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

SIZE = 4
"""Questions of a group."""

RELEVANCE, LOGIC = "relevance", "logic"

CHAIN, SECOND_OR_THIRD, FIRST_OR_SECOND = "1-2-3-4", "1-23-4", "12-3-4"
STRUCTURES: Mapping[str, str] = {
    "[1,2,3,4]": CHAIN,
    "[1,[2,3],4]": SECOND_OR_THIRD,
    "[[1,2],3,4]": FIRST_OR_SECOND,
}
"""Our names of the publisher's structures of a logic group, blanks aside."""

_BY_NUMBER = (0.0, 100 / 16, 400 / 16, 900 / 16, 100.0)
_BY_STEPS = {
    CHAIN: _BY_NUMBER,
    SECOND_OR_THIRD: (0.0, 100 / 12, 400 / 12, 700 / 12, 100.0),
    FIRST_OR_SECOND: (0.0, 100 / 10, 200 / 10, 500 / 10, 100.0),
}
_OTHER_WAY = {SECOND_OR_THIRD: (1, 2), FIRST_OR_SECOND: (0, 1)}
"""Where a chain ends, and the question that continues it by one step all the same."""


class Mark(IntEnum):
    """The publisher's marks of answers."""

    RIGHT = 1
    WRONG = 0
    UNREAD = -1


class Group(NamedTuple):
    """The marks of four questions in their order."""

    kind: str
    structure: str
    """One of the values of `STRUCTURES`; of no meaning for relevance."""
    marks: tuple[Mark, ...]


def score_group(group: Group) -> float:
    """Return the points of a group, 0 to 100, as the publisher's script computes them."""
    if group.kind == RELEVANCE:
        number = sum(group.marks)
        return _BY_NUMBER[number] if 0 <= number <= SIZE else 0.0
    steps = next((place for place, mark in enumerate(group.marks) if not mark), SIZE)
    end, other = _OTHER_WAY.get(group.structure, (None, 0))
    if steps == end and group.marks[other]:
        steps += 1
    return _BY_STEPS[group.structure][steps]


def linear_score(group: Group) -> float:
    """Return a quarter of 100 points per right answer, less one per unread one."""
    return 100 / SIZE * sum(group.marks)


def without_unread(group: Group) -> Group:
    """Return the group with its unread answers marked wrong."""
    marks = tuple(max(mark, Mark.WRONG) for mark in group.marks)
    return Group(kind=group.kind, structure=group.structure, marks=marks)


def mean_score(groups: Sequence[Group]) -> float | None:
    """Return the mean of the groups' points as a share; None without groups."""
    if not groups:
        return None
    return sum(map(score_group, groups)) / len(groups) / 100
