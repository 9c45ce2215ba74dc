"""A run put beside a baseline item by item, and everything that forbids it.

Pairs are made on item ids alone. Another protocol or other data make two runs incomparable; an
item that is missing, failed or unknown to the baseline leaves its task without a verdict. An item
that a scorer's rule drops from its mean counts as 0 on both sides: left out, it would let a model
gain by not answering.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import RunMismatchError
from harness.files import diff
from harness.gate.baseline import (
    Baseline,
    BaselineItem,
)
from harness.schema import Outcome, Record
from harness.stats import tree_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One task of a baseline with the run's records of the same items, in the same order."""

    task: str
    items: tuple[BaselineItem, ...]
    records: tuple[Record, ...]
    """One per item, or none at all where there are gaps."""
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
        """Place of each item in the task's tree of means."""
        return [item.path for item in self.items]

    @property
    def dropped(self) -> int:
        """Items that the scorer dropped on either side."""
        both = zip(self.items, self.records, strict=True) if self.records else ()
        return sum(item.value is None or record.value is None for item, record in both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An item on which the run is worse."""

    id: str
    gold: str
    base: str
    """The baseline's answer, its text where no answer was found."""
    candidate: str
    change: float
    """Difference of the item's values."""
    outcome: Outcome
    """What became of the item in the run."""


def check_comparable(baseline: Baseline, manifest: Mapping[str, Any]) -> None:
    """Refuse a run under another protocol or of other data, with every differing field."""
    lines = [
        f"{task} {part} {line}"
        for task in baseline.tasks
        if task in manifest["protocol"]
        for part, stored in (("protocol", baseline.protocol), ("data", baseline.data))
        for line in diff(stored[task], manifest[part][task])
    ]
    if lines:
        raise RunMismatchError(
            f"baseline and run cannot be compared (baseline != run): {'; '.join(lines)}."
            " Evaluate the run as the baseline was, or freeze a new baseline"
        )


def pair(baseline: Baseline, records: Sequence[Record]) -> list[Pairing]:
    """Pair every task of the baseline with the run's records, and name what has no partner."""
    items: defaultdict[str, list[BaselineItem]] = defaultdict(list)
    for item in baseline.items:
        items[item.task].append(item)
    found: defaultdict[str, dict[str, Record]] = defaultdict(dict)
    for record in records:
        found[record.task][record.id] = record
    return [_pairing(task, items[task], found[task]) for task in items]


def worst_flips(pairings: Sequence[Pairing], count: int) -> list[Flip]:
    """Return the items that pull their task's score down most."""
    ranked: list[tuple[float, BaselineItem, Record]] = []
    for pairing in pairings:
        weights = tree_weights(pairing.paths)
        for item, record, weight in zip(pairing.items, pairing.records, weights, strict=False):
            change = (record.value or 0.0) - (item.value or 0.0)
            if change < 0:
                ranked.append((float(weight) * change, item, record))
    ranked.sort(key=lambda entry: (entry[0], entry[1].id))
    return [_flip(item, record) for _, item, record in ranked[:count]]


def _pairing(task: str, items: Sequence[BaselineItem], found: Mapping[str, Record]) -> Pairing:
    ids = {item.id for item in items}
    missing = [item.id for item in items if item.id not in found]
    failed = [r for r in found.values() if r.id in ids and r.outcome is Outcome.FAILED]
    unknown = [record_id for record_id in found if record_id not in ids]
    gaps = (
        *_gap(missing, "of the baseline's items have no record in the run"),
        *_gap([record.id for record in failed], "items failed in the run"),
        *_gap(unknown, "items of the run are not in the baseline"),
    )
    records = () if gaps else tuple(found[item.id] for item in items)
    return Pairing(task=task, items=tuple(items), records=records, gaps=gaps)


def _gap(ids: Sequence[str], what: str) -> list[str]:
    return [f"{len(ids)} {what} (first: {ids[0]})"] if ids else []


def _flip(item: BaselineItem, record: Record) -> Flip:
    return Flip(
        id=item.id,
        gold=record.gold,
        base=_said(item.answer, item.text),
        candidate=_said(record.answer, record.text),
        change=(record.value or 0.0) - (item.value or 0.0),
        outcome=record.outcome,
    )


def _said(answer: str | None, text: str | None) -> str:
    return (text or "") if answer is None else answer
