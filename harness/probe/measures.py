"""Computes what a probe measures: paired differences of variants, and agreement of options.

All figures pair the answers to one question in two variants, and cluster by video. Differences are
ordered minus the other variant, averaged as the benchmark averages its score. Sources:
docs/probes.md, "Who asks such questions".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.probe.config import OPTIONS
from harness.probe.summary import ProbeFigure, TaskMeasure
from harness.run.plan import PlannedTask
from harness.run.repeats import merge_repeats
from harness.run.summary import category_groups
from harness.schema import Outcome, Record, Variant
from harness.scoring.options import chosen_option, plain_text
from harness.stats import Estimate, clustered_estimate, paired_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One way to compare the ordered variant with another one."""

    name: str
    """Key in ``probe.json``."""
    title: str
    variant: str
    """The variant that is compared with the ordered one."""


GAIN = Measure(name="temporal_gain", title="temporal gain", variant=Variant.SHUFFLED.value)
NEED = Measure(name="need_of_video", title="need of video", variant=Variant.BLIND.value)
AGREEMENT = Measure(name="option_agreement", title="option agreement", variant=OPTIONS)
MEASURES = (
    GAIN,
    Measure(name="direction_gain", title="gain over reversed", variant=Variant.REVERSED.value),
    Measure(name="frames_gain", title="gain over one frame", variant=Variant.SINGLE.value),
    NEED,
    AGREEMENT,
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The answers to one question in two variants, each made of its repeats."""

    ordered: Record
    other: Record


def measure_task(
    measure: Measure,
    ordered: PlannedTask,
    other: PlannedTask,
    records: tuple[Sequence[Record], Sequence[Record]],
) -> TaskMeasure:
    """Compute a measure of one task.

    Args:
        measure: What to compute.
        ordered: The task as the ordered variant asks it.
        other: The task as the measure's variant asks it.
        records: The records of the task in the two variants.
    """
    left_out: Counter[str] = Counter()
    pairs = _pair_records(ordered, other, records, left_out)
    if measure is AGREEMENT:
        agrees = _agreements(ordered, other, pairs)
        left_out["no option named"] += sum(one is None for one in agrees.values())
        kept = [p for p in pairs if agrees[p.ordered.id] is not None]
        return _estimate_all(kept, lambda few: _share(few, agrees), left_out)
    kept = [p for p in pairs if p.ordered.value is not None and p.other.value is not None]
    left_out["left out by the scorer"] += len(pairs) - len(kept)
    levels = ordered.scorer.aggregation.levels
    whole = _difference(kept, [levels(p.ordered.category) for p in kept]) if kept else None
    return _estimate_all(kept, _difference, left_out, whole)


def pair_values(
    ordered: PlannedTask, other: PlannedTask, records: tuple[Sequence[Record], Sequence[Record]]
) -> dict[str, tuple[float, float, str]]:
    """Return, for each question with a value in both variants, the two values and its video."""
    pairs = _pair_records(ordered, other, records, Counter())
    return {
        pair.ordered.id: (pair.ordered.value, pair.other.value, pair.ordered.cluster)
        for pair in pairs
        if pair.ordered.value is not None and pair.other.value is not None
    }


def _pair_records(
    ordered: PlannedTask,
    other: PlannedTask,
    records: tuple[Sequence[Record], Sequence[Record]],
    left_out: Counter[str],
) -> list[_Pair]:
    """Pair the answers to the questions that both variants ask; count what cannot be paired."""
    before, after = ({r.id: r for r in merge_repeats(some)} for some in records)
    asked = {sample.id for sample in ordered.samples}
    pairs = []
    for sample in other.samples:
        if sample.id not in asked:
            continue
        both = before.get(sample.id), after.get(sample.id)
        if both[0] is None or both[1] is None:
            left_out["no record"] += 1
        elif Outcome.FAILED in (both[0].outcome, both[1].outcome):
            left_out["failed"] += 1
        else:
            pairs.append(_Pair(both[0], both[1]))
    return pairs


def _estimate_all(
    pairs: Sequence[_Pair],
    estimate: Callable[[Sequence[_Pair]], Estimate],
    left_out: Mapping[str, int],
    whole: Estimate | None = None,
) -> TaskMeasure:
    """Estimate a measure over all pairs and in each category."""
    groups: defaultdict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        for name in category_groups(pair.ordered.category):
            groups[name].append(pair)
    if whole is None and pairs:
        whole = estimate(pairs)
    return TaskMeasure(
        total=None if whole is None else in_points(whole),
        left_out={reason: count for reason, count in left_out.items() if count},
        categories={name: in_points(estimate(few)) for name, few in sorted(groups.items())},
    )


def _difference(pairs: Sequence[_Pair], paths: Sequence[tuple[str, ...]] | None = None) -> Estimate:
    return paired_difference(
        [pair.other.value or 0.0 for pair in pairs],
        [pair.ordered.value or 0.0 for pair in pairs],
        [pair.ordered.cluster for pair in pairs],
        paths,
    )


def _share(pairs: Sequence[_Pair], agrees: Mapping[str, bool | None]) -> Estimate:
    values = [float(agrees[pair.ordered.id] or False) for pair in pairs]
    return clustered_estimate(values, [pair.ordered.cluster for pair in pairs])


def _agreements(
    ordered: PlannedTask, other: PlannedTask, pairs: Sequence[_Pair]
) -> dict[str, bool | None]:
    """Return by id whether both answers name one option's text; None where one names no option."""
    as_asked = {sample.id: sample.options for sample in ordered.samples}
    moved = {sample.id: sample.options for sample in other.samples}
    found: dict[str, bool | None] = {}
    for pair in pairs:
        name = pair.ordered.id
        before = _chosen_text(pair.ordered, as_asked[name])
        after = _chosen_text(pair.other, moved[name])
        found[name] = None if before is None or after is None else before == after
    return found


def _chosen_text(record: Record, options: Sequence[str]) -> str | None:
    place = chosen_option(record.answer, options)
    return None if place is None else plain_text(options[place])


def in_points(estimate: Estimate) -> ProbeFigure:
    """Return an estimate in points, 0 to 100."""
    interval = estimate.ci95
    return ProbeFigure(
        value=100 * estimate.mean,
        se=None if estimate.se is None else 100 * estimate.se,
        ci95=None if interval is None else (100 * interval[0], 100 * interval[1]),
        n=estimate.n,
        n_clusters=estimate.n_clusters,
    )
