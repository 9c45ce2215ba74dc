"""Matches the items of a run with those of a baseline, and checks that they can be compared.

Items are matched by id alone. Runs with different protocols or data cannot be compared; only the
number of repeats may differ, because an item's value is the mean over its repeats. A task with an
item that is missing, failed at every repeat or not in the baseline is not judged, unless only the
items that both sides have are asked for. An answer that a scorer leaves out of its mean counts as 0
on both sides; otherwise a model could gain by not answering.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import RunMismatchError
from harness.files import diff
from harness.gate.baseline import Baseline, BaselineItem
from harness.probe.gains import SPAN, is_gain
from harness.run.repeats import merge_repeats
from harness.schema import Outcome, Record
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
    only_base: tuple[str, ...] = ()
    """Ids of the baseline that are left out because the run lacks them."""
    only_run: tuple[str, ...] = ()
    """Ids of the run that are left out because the baseline lacks them."""

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
    def span(self) -> float:
        """Largest change that an item can show."""
        return SPAN if is_gain(self.task) else 1.0

    @property
    def dropped(self) -> int:
        """Number of items that the scorer leaves out on either side."""
        both = zip(self.items, self.records, strict=True) if self.records else ()
        return sum(item.value is None or record.value is None for item, record in both)


def check_comparable(
    baseline: Baseline, manifest: Mapping[str, Any], *, common: bool = False
) -> None:
    """Raise where a run's protocol or data differs from the baseline's; every field is named.

    The number of repeats may differ, and with it the hash; with `common` the number of items, too.
    """
    differences = {"protocol": _differences, "data": _other_files if common else diff}
    lines = [
        f"{task} {part} {line}"
        for task in baseline.tasks
        if task in manifest["protocol"]
        for part, stored, asked in (
            ("protocol", baseline.protocol[task], manifest["protocol"][task]),
            ("data", baseline.data[task], manifest["data"][task]),
        )
        for line in differences[part](stored, asked)
    ]
    if lines:
        raise RunMismatchError(
            f"baseline and run have different settings (baseline != run): {'; '.join(lines)}."
            " Evaluate with the baseline's settings, or freeze a new baseline"
            f"{_hint_common(lines)}"
        )


def _hint_common(lines: Sequence[str]) -> str:
    """Say how runs that differ in their number of items alone can be compared."""
    if all(" data items: " in line for line in lines):
        return "; --common compares the items that both have"
    return ""


def _other_files(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """List the differing fields of two descriptions of data, but for the number of items."""
    return diff({**stored, "items": None}, {**asked, "items": None})


def _differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """List the differing fields of two protocols, but for the repeats."""
    ours, theirs = complete(stored), complete(asked)
    if ours.pop("repeats") != theirs.pop("repeats"):
        ours.pop("hash", None)
        theirs.pop("hash", None)
    return diff(ours, theirs)


def pair(
    baseline: Baseline,
    records: Sequence[Record],
    repeats: Mapping[str, int] | None = None,
    *,
    common: Mapping[str, int] | None = None,
) -> list[Pairing]:
    """Match every task of the baseline with the run's records; what has no match is a gap.

    Args:
        baseline: The frozen run.
        records: The run's records, one per item and repeat.
        repeats: How often the run asked each item, by task; once where it is not said.
        common: Pair only the items that both sides have, and leave out the tasks that the run does
            not ask. The number of items that the run asks, by task: those without a record are gaps
            all the same.

    Raises:
        RunMismatchError: With `common`, where a task that both sides have has no item on both, or
            where they have no task in common.
    """
    items: defaultdict[str, list[BaselineItem]] = defaultdict(list)
    for item in baseline.items:
        items[item.task].append(item)
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.task].append(record)
    asked = repeats or {}
    if common is None:
        return [_pair_all(task, items[task], found[task], asked.get(task, 1)) for task in items]
    pairings = [
        _pair_common(task, items[task], found[task], asked.get(task, 1), common[task])
        for task in items
        if task in common
    ]
    if not pairings:
        raise RunMismatchError(
            f"baseline and run have no task in common: {', '.join(items)} != {', '.join(common)}"
        )
    return pairings


def _pair_all(
    task: str, items: Sequence[BaselineItem], answers: Sequence[Record], repeats: int
) -> Pairing:
    """Match all items of a task."""
    ids, answered = {item.id for item in items}, {record.id for record in answers}
    missing = [item.id for item in items if item.id not in answered]
    unknown = [one for one in dict.fromkeys(record.id for record in answers) if one not in ids]
    gaps = [
        *_describe_gap(missing, "of the baseline's items have no record in the run"),
        *_describe_gap(unknown, "items of the run are not in the baseline"),
    ]
    return _match(task, items, answers, repeats, gaps)


def _pair_common(
    task: str, items: Sequence[BaselineItem], answers: Sequence[Record], repeats: int, asked: int
) -> Pairing:
    """Match the items of a task that both sides have, of so many that the run asks."""
    ids, answered = {item.id for item in items}, {record.id for record in answers}
    both = [item for item in items if item.id in answered]
    if not both:
        raise RunMismatchError(
            f"{task}: no item is on both sides: the baseline's first is {items[0].id!r:.80}, the"
            f" run has {len(answered)} items with a record"
        )
    lacking = asked - len(answered)
    gaps = [f"{lacking} of the {asked} items of the run have no record"] if lacking > 0 else []
    return replace(
        _match(task, both, [record for record in answers if record.id in ids], repeats, gaps),
        only_base=tuple(item.id for item in items if item.id not in answered),
        only_run=tuple(sorted(answered - ids)),
    )


def _match(
    task: str,
    items: Sequence[BaselineItem],
    answers: Sequence[Record],
    repeats: int,
    gaps: Sequence[str],
) -> Pairing:
    """Match items with the records of their answers; failed and open repeats are further gaps."""
    found = {record.id: record for record in merge_repeats(answers, left_out=0.0)}
    answered = Counter(record.id for record in answers)
    fewer = [item.id for item in items if 0 < answered[item.id] < repeats]
    failed = [i.id for i in items if i.id in found and found[i.id].outcome is Outcome.FAILED]
    every = (
        *gaps,
        *_describe_gap(fewer, f"items have records of fewer than {repeats} repeats"),
        *_describe_gap(failed, "items failed in the run"),
    )
    records = () if every else tuple(found[item.id] for item in items)
    return Pairing(task=task, items=tuple(items), records=records, gaps=every)


def _describe_gap(ids: Sequence[str], what: str) -> list[str]:
    return [f"{len(ids)} {what} (first: {ids[0]})"] if ids else []
