"""Make Video-MME-v2's groups and figures of the records of a run."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from harness.run.summary import MEAN_OF_ITEMS
from harness.schema import Outcome, Record
from tasks.videomme_v2_groups import (
    LOGIC,
    RELEVANCE,
    SIZE,
    Group,
    Mark,
    linear_score,
    mean_score,
    score_group,
    without_unread,
)

_UNREAD = (Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED)


def value_groups(records: Sequence[Record], *, official: bool) -> dict[str, float]:
    """Return the score (0 to 1) of each whole group by its video.

    Args:
        records: Records of one scorer.
        official: Whether unread answers are marked as in the publisher's script.
    """
    return {
        video: score_group(group if official else without_unread(group)) / 100
        for video, group in _groups_by_video(records).items()
    }


def read_groups(records: Sequence[Record]) -> list[Group]:
    """Return the groups of which every question has an answer, in the order of the records."""
    return [*_groups_by_video(records).values()]


def _groups_by_video(records: Sequence[Record]) -> dict[str, Group]:
    by_video: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.outcome is not Outcome.FAILED:
            by_video[record.cluster].append(record)
    return {video: _make_group(four) for video, four in by_video.items() if len(four) == SIZE}


def describe_groups(records: Sequence[Record], *, official: bool) -> dict[str, float]:
    """Return the publisher's figures of answered records, in percent.

    Without a whole group there is only the mean of items.

    Args:
        records: Answered records of one scorer.
        official: Whether unread answers are marked as in the publisher's script.
    """
    if not records:
        return {}
    groups = read_groups(records)
    figures = {MEAN_OF_ITEMS: 100 * statistics.fmean(r.value or 0.0 for r in records)}
    if not groups:
        return figures
    mended = [without_unread(group) for group in groups]
    counted = groups if official else mended
    for kind in (RELEVANCE, LOGIC):
        scores = [score_group(group) for group in counted if group.kind == kind]
        figures |= {kind: statistics.fmean(scores)} if scores else {}
    linear = [linear_score(group) for group in counted if group.kind == RELEVANCE]
    figures |= {"relevance_linear": statistics.fmean(linear)} if linear else {}
    figures |= _by_level(records, official=official)
    unread = sum(record.outcome in _UNREAD for record in records)
    if unread:
        figures["unanswered"] = float(unread)
        if official:
            figures["score_if_wrong"] = statistics.fmean(map(score_group, mended))
    return figures


def _by_level(records: Sequence[Record], *, official: bool) -> dict[str, float]:
    """Return the mean score of the groups of each level; a group has that of its last question."""
    last = {record.cluster: record for record in sorted(records, key=_position)}
    levels: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        levels[last[record.cluster].category.split("/")[2]].append(record)
    figures = {}
    for level, members in sorted(levels.items()):
        groups = read_groups(members)
        score = mean_score(groups if official else [*map(without_unread, groups)])
        if score is not None and level.startswith("level"):
            figures[level.replace("-", "_")] = 100 * score
    return figures


def _make_group(records: Sequence[Record]) -> Group:
    ordered = sorted(records, key=_position)
    kind, structure, *_ = ordered[-1].category.split("/")
    marks = (
        Mark.UNREAD if r.outcome in _UNREAD else Mark.RIGHT if r.value else Mark.WRONG
        for r in ordered
    )
    return Group(kind, structure, tuple(marks))


def _position(record: Record) -> tuple[int, str]:
    """Return the place of a question in its group, by the number at the end of its id."""
    number = record.id.rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0, record.id)
