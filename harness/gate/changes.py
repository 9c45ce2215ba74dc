"""Measures what changed between a baseline and a run: categories, videos, single items.

A verdict says that a task fell; this says where. The categories are those of the tables of an
evaluation. Items that fell are sorted by how far they pull their task's score down, and stand under
their video, because questions about one video fall together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.gate.baseline import BaselineItem
from harness.gate.pairing import Pairing
from harness.run.samples_file import StoredSample
from harness.run.summary import category_groups, is_subcategory
from harness.schema import Outcome, Record
from harness.stats import paired_difference, tree_weights
from harness.stats.estimate import tree_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An item on which the run scores less than the baseline."""

    id: str
    task: str
    category: str
    video: str
    question: str | None
    """None where the run does not hold it."""
    options: tuple[str, ...]
    gold: str
    base: str
    """The baseline's answer; its text where no answer was found."""
    candidate: str
    change: float
    """Difference of the item's values, below 0."""
    pull: float
    """By how much it changes the task's score, below 0; scores are from 0 to 1."""
    outcome: Outcome
    """Outcome of the item in the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryChange:
    """The change of one category of a task; scores are from 0 to 1."""

    name: str
    n: int
    base: float
    candidate: float
    ci95: tuple[float, float] | None
    """95 % interval of the change, clustered by video; None below two videos."""
    fell: int
    rose: int

    @property
    def change(self) -> float:
        """Difference of the two scores."""
        return self.candidate - self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoChange:
    """The items of one video that fell, those that weigh most first."""

    name: str
    n: int
    """Items of the video."""
    flips: tuple[Flip, ...]

    @property
    def pull(self) -> float:
        """By how much the items that fell change the task's score, below 0."""
        return sum(flip.pull for flip in self.flips)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """What changed in one task."""

    task: str
    n: int
    fell: int
    rose: int
    categories: tuple[CategoryChange, ...]
    """The largest drop first; empty where the task has a single category."""
    videos: tuple[VideoChange, ...]
    """Videos with an item that fell; those that weigh most first."""

    @property
    def flips(self) -> list[Flip]:
        """Every item that fell, by video."""
        return [flip for video in self.videos for flip in video.flips]


def measure_changes(pairing: Pairing, questions: Mapping[str, StoredSample]) -> TaskChange:
    """Compare the items of one task that has records for all of them."""
    pairs = list(zip(pairing.items, pairing.records, strict=True))
    moved = [_sign(item, record) for item, record in pairs]
    return TaskChange(
        task=pairing.task,
        n=len(pairs),
        fell=moved.count(-1),
        rose=moved.count(1),
        categories=tuple(_change_categories(pairing)),
        videos=tuple(_list_videos(pairing, questions)),
    )


def _change_categories(pairing: Pairing) -> list[CategoryChange]:
    """Compare the categories that the tables of an evaluation show; the largest drop first."""
    plain: defaultdict[str, list[int]] = defaultdict(list)
    tree: defaultdict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(pairing.items):
        for name in category_groups(item.category):
            plain[name].append(number)
    for number, item in enumerate(pairing.items):
        if item.path and item.path[0] not in plain:
            tree[item.path[0]].append(number)
    found = [
        *(_change_category(pairing, name, members, 0) for name, members in plain.items()),
        *(_change_category(pairing, name, members, 1) for name, members in tree.items()),
    ]
    shown = [one for one in found if not is_subcategory(one.name)]
    shown.sort(key=lambda one: (one.change, one.name))
    return shown if len(shown) > 1 else []


def _change_category(
    pairing: Pairing, name: str, members: Sequence[int], depth: int
) -> CategoryChange:
    """Compare a category: a plain mean, or with `depth` 1 the mean of a group of the task's tree.

    Args:
        pairing: The task.
        name: The category.
        members: Positions of its items.
        depth: How many levels of the tree lie above it.
    """
    items = [pairing.items[number] for number in members]
    records = [pairing.records[number] for number in members]
    base, candidate = [i.value or 0.0 for i in items], [r.value or 0.0 for r in records]
    clusters = [item.cluster for item in items]
    paths = [item.path[1:] if depth else () for item in items]
    moved = [_sign(item, record) for item, record in zip(items, records, strict=True)]
    return CategoryChange(
        name=name,
        n=len(items),
        base=tree_mean(base, clusters, paths).mean,
        candidate=tree_mean(candidate, clusters, paths).mean,
        ci95=paired_difference(base, candidate, clusters, paths, span=pairing.span).ci95,
        fell=moved.count(-1),
        rose=moved.count(1),
    )


def _list_videos(pairing: Pairing, questions: Mapping[str, StoredSample]) -> list[VideoChange]:
    sizes = Counter(item.cluster for item in pairing.items)
    flips: defaultdict[str, list[Flip]] = defaultdict(list)
    weights = tree_weights(pairing.paths)
    for item, record, weight in zip(pairing.items, pairing.records, weights, strict=True):
        if _sign(item, record) < 0:
            flips[item.cluster].append(_make_flip(item, record, float(weight), questions))
    videos = [
        VideoChange(
            name=name, n=sizes[name], flips=tuple(sorted(found, key=lambda f: (f.pull, f.id)))
        )
        for name, found in flips.items()
    ]
    return sorted(videos, key=lambda video: (video.pull, video.name))


def _sign(item: BaselineItem, record: Record) -> int:
    """Return -1 where the run scores less than the baseline, 1 where it scores more, else 0."""
    before, now = item.value or 0.0, record.value or 0.0
    return (now > before) - (now < before)


def _make_flip(
    item: BaselineItem, record: Record, weight: float, questions: Mapping[str, StoredSample]
) -> Flip:
    change = (record.value or 0.0) - (item.value or 0.0)
    asked = questions.get(item.id)
    return Flip(
        id=item.id,
        task=item.task,
        category=item.category,
        video=item.cluster,
        question=None if asked is None else asked.question,
        options=() if asked is None else tuple(asked.options),
        gold=record.gold,
        base=_answer_or_text(item.answer, item.text),
        candidate=_answer_or_text(record.answer, record.text),
        change=change,
        pull=weight * change,
        outcome=record.outcome,
    )


def _answer_or_text(answer: str | None, text: str | None) -> str:
    return (text or "") if answer is None else answer
