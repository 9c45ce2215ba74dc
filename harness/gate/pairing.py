"""Matches the items of a run with those of a baseline, and checks that they can be compared.

Items are matched by id alone. Runs with different protocols or data cannot be compared; only the
number of repeats may differ, because an item's value is the mean over its repeats. A task with an
item that is missing, failed at every repeat or not in the baseline is not judged. An answer that a
scorer leaves out of its mean counts as 0 on both sides; otherwise a model could gain by not
answering.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import RunMismatchError
from harness.files import diff
from harness.gate.baseline import Baseline, BaselineItem
from harness.run.repeats import merge_repeats
from harness.schema import Outcome, Record
from harness.stats import tree_weights
from harness.task.protocol import complete


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One task: the baseline's items and the run's records of the same items, in the same order."""

    task: str
    items: tuple[BaselineItem, ...]
    records: tuple[Record, ...]
    """One per item, made of its repeats; empty where there are gaps."""
    gaps: tuple[str, ...]
    """Why the task cannot be judged."""

    @property
    def base(self) -> list[float]:
        """Values of the baseline."""
        return [item.value or 0.0 for item in self.items]

    @property
    def candidate(self) -> list[float]:
        """Values of the run."""
        return [record.value or 0.0 for record in self.records]

    @property
    def clusters(self) -> list[str]:
        """Video of each item."""
        return [item.cluster for item in self.items]

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """Path of each item in the task's aggregation tree."""
        return [item.path for item in self.items]

    @property
    def dropped(self) -> int:
        """Number of items that the scorer leaves out on either side."""
        both = zip(self.items, self.records, strict=True) if self.records else ()
        return sum(item.value is None or record.value is None for item, record in both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An item on which the run scores less than the baseline."""

    id: str
    gold: str
    base: str
    """The baseline's answer; its text where no answer was found."""
    candidate: str
    change: float
    """Difference of the item's values, below 0."""
    outcome: Outcome
    """Outcome of the item in the run."""


def check_comparable(baseline: Baseline, manifest: Mapping[str, Any]) -> None:
    """Raise where a run's protocol or data differs from the baseline's; every field is named.

    The number of repeats may differ, and with it the hash.
    """
    lines = [
        f"{task} {part} {line}"
        for task in baseline.tasks
        if task in manifest["protocol"]
        for part, stored, asked in (
            ("protocol", baseline.protocol[task], manifest["protocol"][task]),
            ("data", baseline.data[task], manifest["data"][task]),
        )
        for line in (_differences if part == "protocol" else diff)(stored, asked)
    ]
    if lines:
        raise RunMismatchError(
            f"baseline and run have different settings (baseline != run): {'; '.join(lines)}."
            " Evaluate with the baseline's settings, or freeze a new baseline"
        )


def _differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """List the differing fields of two protocols, but for the repeats."""
    ours, theirs = complete(stored), complete(asked)
    if ours.pop("repeats") != theirs.pop("repeats"):
        ours.pop("hash", None)
        theirs.pop("hash", None)
    return diff(ours, theirs)


def pair(
    baseline: Baseline, records: Sequence[Record], repeats: Mapping[str, int] | None = None
) -> list[Pairing]:
    """Match every task of the baseline with the run's records; what has no match is a gap.

    Args:
        baseline: The frozen run.
        records: The run's records, one per item and repeat.
        repeats: How often the run asked each item, by task; once where it is not said.
    """
    items: defaultdict[str, list[BaselineItem]] = defaultdict(list)
    for item in baseline.items:
        items[item.task].append(item)
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.task].append(record)
    asked = repeats or {}
    return [_pair_task(task, items[task], found[task], asked.get(task, 1)) for task in items]


def worst_flips(pairings: Sequence[Pairing], count: int) -> list[Flip]:
    """Return the `count` items that lower their task's score most, worst first."""
    ranked: list[tuple[float, BaselineItem, Record]] = []
    for pairing in pairings:
        weights = tree_weights(pairing.paths)
        for item, record, weight in zip(pairing.items, pairing.records, weights, strict=False):
            change = (record.value or 0.0) - (item.value or 0.0)
            if change < 0:
                ranked.append((float(weight) * change, item, record))
    ranked.sort(key=lambda entry: (entry[0], entry[1].id))
    return [_make_flip(item, record) for _, item, record in ranked[:count]]


def _pair_task(
    task: str, items: Sequence[BaselineItem], answers: Sequence[Record], repeats: int
) -> Pairing:
    ids = {item.id for item in items}
    found = {record.id: record for record in merge_repeats(answers, left_out=0.0)}
    answered = Counter(record.id for record in answers)
    missing = [item.id for item in items if item.id not in found]
    fewer = [item.id for item in items if 0 < answered[item.id] < repeats]
    failed = [r for r in found.values() if r.id in ids and r.outcome is Outcome.FAILED]
    unknown = [record_id for record_id in found if record_id not in ids]
    gaps = (
        *_describe_gap(missing, "of the baseline's items have no record in the run"),
        *_describe_gap(fewer, f"items have records of fewer than {repeats} repeats"),
        *_describe_gap([record.id for record in failed], "items failed in the run"),
        *_describe_gap(unknown, "items of the run are not in the baseline"),
    )
    records = () if gaps else tuple(found[item.id] for item in items)
    return Pairing(task=task, items=tuple(items), records=records, gaps=gaps)


def _describe_gap(ids: Sequence[str], what: str) -> list[str]:
    return [f"{len(ids)} {what} (first: {ids[0]})"] if ids else []


def _make_flip(item: BaselineItem, record: Record) -> Flip:
    return Flip(
        id=item.id,
        gold=record.gold,
        base=_answer_or_text(item.answer, item.text),
        candidate=_answer_or_text(record.answer, record.text),
        change=(record.value or 0.0) - (item.value or 0.0),
        outcome=record.outcome,
    )


def _answer_or_text(answer: str | None, text: str | None) -> str:
    return (text or "") if answer is None else answer
