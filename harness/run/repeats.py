"""Asks items several times, and makes one value per item of the answers.

An item's value is the mean over its finished repeats, and everything that compares or averages
items works on these values, so that intervals are clustered by video whatever the number of
repeats. A repeat that was cut at the token limit is worth 0, as any answer without an answer; one
that failed is missing.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from harness.schema import (
    Kind,
    Outcome,
    Record,
    RepeatFigure,
    RepeatSummary,
    Sample,
    Sampling,
)
from harness.stats import clustered_estimate
from harness.stats.repeats import best_of_k, majority_value

_SEEDS = 2**31
"""Seeds are below it: some servers take signed 32-bit numbers only."""

VOTING_KINDS = frozenset({Kind.MULTIPLE_CHOICE, Kind.OCR, Kind.FREE_FORM})
"""Kinds whose answers can be counted. Numbers cannot: 2.49 and 2.51 are one opinion, and how to
round them is the benchmark's business."""

Vote = tuple[str | None, float]


def sampling_of_repeat(sampling: Sampling, sample_id: str, repeat: int, repeats: int) -> Sampling:
    """Return the sampling of one repeat of an item, with a seed of its own.

    Where nothing is repeated, it is the protocol's. The seed depends on the protocol's, on the item
    and on the number of the repeat, not on the order of requests or on how many repeats there are.
    """
    if repeats == 1:
        return sampling
    return replace(sampling, seed=repeat_seed(sampling.seed, sample_id, repeat))


def repeat_seed(seed: int, sample_id: str, repeat: int) -> int:
    """Return the seed of a repeat, 0 to 2**31 - 1; those of an item are all different."""
    digest = hashlib.sha256(f"{seed}\0{sample_id}".encode()).digest()
    return (int.from_bytes(digest[:4]) + repeat) % _SEEDS


def merge_repeats(records: Iterable[Record], *, left_out: float | None = None) -> list[Record]:
    """Return one record per item, in the order of first appearance.

    Its value is the mean over the item's finished repeats; its answer and text are those of the
    repeat whose answer is most frequent. An item of one repeat is returned as it is.

    Args:
        records: Records of one or more items.
        left_out: What a repeat counts that the scorer leaves out, where others of the same item
            have a value; None: it is no part of the mean.
    """
    items: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        items[record.id].append(record)
    return [
        of_item[0] if len(of_item) == 1 else _merge_item(of_item, left_out)
        for of_item in items.values()
    ]


def summarise_repeats(
    samples: Sequence[Sample],
    records: Iterable[Record],
    repeats: int,
    levels: Callable[[str], tuple[str, ...]],
) -> RepeatSummary:
    """Return what repeats tell of a task beside its score, with intervals clustered by video.

    Args:
        samples: The items that were asked.
        records: Their records.
        repeats: How often each was asked.
        levels: Path of a category in the tree of means by which the score is averaged, too.
    """
    finished: defaultdict[str, list[Record]] = defaultdict(list)
    failed = 0
    for record in records:
        if record.outcome is Outcome.FAILED:
            failed += 1
        elif record.value is not None:
            finished[record.id].append(record)
    items = [(sample, finished[sample.id]) for sample in samples if sample.id in finished]
    ks = sorted({k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k < repeats} | {repeats})
    return RepeatSummary(
        k=repeats,
        answers=sum(len(of_item) for _, of_item in items),
        failed=failed,
        pass_at={
            str(k): _estimate(
                [(s, best_of_k(_values(r), k)) for s, r in items if len(r) >= k], levels
            )
            for k in ks
        },
        majority=_estimate(
            [(s, majority_value(_votes(r))) for s, r in items if s.kind in VOTING_KINDS], levels
        ),
        changed=_estimate(
            [
                (s, float(len({answer for answer, _ in _votes(r)}) > 1))
                for s, r in items
                if len(r) > 1
            ],
            lambda category: (),
        ),
    )


def _merge_item(records: Sequence[Record], left_out: float | None) -> Record:
    finished = sorted(
        (record for record in records if record.outcome is not Outcome.FAILED),
        key=lambda record: record.repeat,
    )
    if not finished:
        return replace(records[0], repeat=0)
    known = [record.value for record in finished if record.value is not None]
    if known and left_out is not None:
        known += [left_out] * (len(finished) - len(known))
    value = math.fsum(known) / len(known) if known else None
    votes = Counter(_as_vote(record.answer) for record in finished)
    shown = max(finished, key=lambda record: votes[_as_vote(record.answer)])
    return replace(shown, repeat=0, value=value, outcome=_merge_outcomes(finished, value))


def _merge_outcomes(finished: Sequence[Record], value: float | None) -> Outcome:
    """Return the outcome that all repeats share, else that of the mean value."""
    outcomes = {record.outcome for record in finished}
    if len(outcomes) == 1:
        return outcomes.pop()
    if value is None:
        return Outcome.NO_ANSWER
    return {0.0: Outcome.WRONG, 1.0: Outcome.CORRECT}.get(value, Outcome.PARTIAL)


def _values(records: Sequence[Record]) -> list[float]:
    return [record.value or 0.0 for record in records]


def _votes(records: Sequence[Record]) -> list[Vote]:
    return [(_as_vote(record.answer), record.value or 0.0) for record in records]


def _as_vote(answer: str | None) -> str | None:
    """Return an answer such that ``B``, ``b`` and ``B.`` are one vote."""
    if answer is None:
        return None
    return " ".join(answer.casefold().split()).strip(" .,:;!?()[]\"'*") or None


def _estimate(
    values: Sequence[tuple[Sample, float]], levels: Callable[[str], tuple[str, ...]]
) -> RepeatFigure | None:
    """Return a mean over items with its clustered error, in percent; None without items."""
    if not values:
        return None
    found = clustered_estimate(
        [value for _, value in values],
        [sample.cluster for sample, _ in values],
        [levels(sample.category) for sample, _ in values],
    )
    return RepeatFigure(
        score=100 * found.mean,
        se=None if found.se is None else 100 * found.se,
        ci95=None if found.ci95 is None else (100 * found.ci95[0], 100 * found.ci95[1]),
        n=found.n,
    )
