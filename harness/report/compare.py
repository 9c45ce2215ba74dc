"""Compares two runs of a report on the items that both answered.

The difference is paired by item and its interval clustered by video (`harness.stats.paired`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.report.answers import Answers
from harness.report.scores import PLAIN_MEAN, Figure, aggregation_of, has_own_score
from harness.schema import Outcome, Record
from harness.stats import p_above, p_below, paired_difference, sign_flip_p

RIGHT = 0.5
"""Value from which an item counts as right in the table of right and wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One item as two runs answered it."""

    base: Record
    other: Record

    @property
    def change(self) -> float:
        """Value of the second minus value of the first; what a scorer leaves out counts as 0."""
        return (self.other.value or 0.0) - (self.base.value or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightWrong:
    """How often both, one or none of two runs are right."""

    both: int
    first: int
    second: int
    none: int
    partial: int
    """Items with a value between 0 and 1 on either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Second run minus first run on one task or category, in points."""

    figure: Figure
    p: float | None
    """Two-sided p value of no difference; None below two videos."""
    p_flip: float | None
    """The same by flipping the signs of whole videos at random."""
    table: RightWrong


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """Two runs on one task."""

    task: str
    whole: Difference
    categories: Mapping[str, Difference]
    left_out: tuple[str, ...]
    """What is not compared, in words."""
    note: str
    """What to know about the difference; empty if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFlips:
    """The items of one video that only one of two runs answers right."""

    task: str
    cluster: str
    items: int
    lost: int
    gained: int
    first: str
    """Id of one of them."""


def compare_task(base: Answers, other: Answers, task: str) -> TaskComparison | None:
    """Compare two runs on a task; None where no item was answered by both."""
    pairs = pair_items(base, other, task)
    if not pairs:
        return None
    means = aggregation_of(base, task)
    levels = (means or PLAIN_MEAN).levels
    groups: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        parts = pair.base.category.split("/")
        for depth in range(len(parts)):
            groups["/".join(parts[: depth + 1])].append(pair)
    whole = _measure(pairs, [levels(pair.base.category) for pair in pairs], flips=True)
    return TaskComparison(
        task=task,
        whole=whole,
        categories={name: _measure(found) for name, found in sorted(groups.items())},
        left_out=tuple(_list_left_out(base, other, task)),
        note=_find_note(base, task, is_known=means is not None),
    )


def _find_note(base: Answers, task: str, *, is_known: bool) -> str:
    if not is_known:
        return "its scorer is not installed here; the difference is the plain mean over items"
    if has_own_score(base, task):
        return "its own score is not a mean of items; the difference is one of items"
    return ""


def pair_items(base: Answers, other: Answers, task: str) -> list[Pair]:
    """Return the items of a task that both runs answered, in the order of the first."""
    return [
        Pair(base=record, other=other.items[name])
        for name, record in base.items.items()
        if record.task == task
        and name in other.items
        and Outcome.FAILED not in (record.outcome, other.items[name].outcome)
    ]


def list_flips(pairs: Sequence[Pair]) -> list[VideoFlips]:
    """Return the videos with flipped items, those with the greatest net loss first."""
    videos: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        videos[pair.base.task, pair.base.cluster].append(pair)
    found = []
    for (task, cluster), of_video in videos.items():
        kinds = Counter(map(_kind, of_video))
        flipped = [pair for pair in of_video if _kind(pair) in ("first", "second")]
        if flipped:
            found.append(
                VideoFlips(
                    task=task,
                    cluster=cluster,
                    items=len(of_video),
                    lost=kinds["first"],
                    gained=kinds["second"],
                    first=flipped[0].base.id,
                )
            )
    return sorted(found, key=lambda one: (one.gained - one.lost, -one.lost, one.task, one.cluster))


def _measure(
    pairs: Sequence[Pair], paths: Sequence[tuple[str, ...]] | None = None, *, flips: bool = False
) -> Difference:
    before = [pair.base.value or 0.0 for pair in pairs]
    after = [pair.other.value or 0.0 for pair in pairs]
    clusters = [pair.base.cluster for pair in pairs]
    found = paired_difference(before, after, clusters, paths)
    interval = found.ci95
    p = None if found.se is None else min(1.0, 2 * min(p_below(found, 0), p_above(found, 0)))
    return Difference(
        figure=Figure(
            score=100 * found.mean,
            ci95=interval and (100 * interval[0], 100 * interval[1]),
            n=found.n,
            videos=found.n_clusters,
        ),
        p=p,
        p_flip=_flip_p(before, after, clusters, paths) if flips and p is not None else None,
        table=_count(pairs),
    )


def _flip_p(
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[str],
    paths: Sequence[tuple[str, ...]] | None,
) -> float:
    drop = sign_flip_p(before, after, clusters, paths)
    rise = sign_flip_p(after, before, clusters, paths)
    return min(1.0, 2 * min(drop, rise))


def _kind(pair: Pair) -> str:
    right = ((pair.base.value or 0.0) >= RIGHT, (pair.other.value or 0.0) >= RIGHT)
    return {(True, True): "both", (True, False): "first", (False, True): "second"}.get(
        right, "none"
    )


def _count(pairs: Sequence[Pair]) -> RightWrong:
    kinds = Counter(map(_kind, pairs))
    partial = sum(
        any(0 < (record.value or 0.0) < 1 for record in (pair.base, pair.other)) for pair in pairs
    )
    return RightWrong(
        both=kinds["both"],
        first=kinds["first"],
        second=kinds["second"],
        none=kinds["none"],
        partial=partial,
    )


def _list_left_out(base: Answers, other: Answers, task: str) -> list[str]:
    """Say how many items of a task are not compared, and why."""
    ours = {name for name, record in base.items.items() if record.task == task}
    theirs = {name for name, record in other.items.items() if record.task == task}
    failed = sum(
        Outcome.FAILED in (base.items[name].outcome, other.items[name].outcome)
        for name in ours & theirs
    )
    counted = (
        (len(ours - theirs), f"only {base.source.label} answered"),
        (len(theirs - ours), f"only {other.source.label} answered"),
        (failed, "failed in one of them"),
    )
    return [f"{count} items {what}" for count, what in counted if count]
