"""Scores with and without frames of a whole set of questions and of a part of it, side by side.

Some publishers ask for this: VSI-Bench-Debiased's (vision-x-nyu/test-set-training@472257c) wants
its part beside the full set, the drop of the score without frames first, and the gap between the
scores with and without frames. Each question counts once (micro), as in that publisher's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.probe.measures import in_points, pair_values
from harness.probe.summary import BlindGap
from harness.run.plan import PlannedTask
from harness.schema import Record
from harness.stats import clustered_estimate, paired_difference
from harness.task import registry

FULL = "full"
"""Name of the whole set, beside those of its parts."""

Values = Sequence[tuple[float, float, str]]
"""Per question its value with frames, without, and its video."""


def measure_gaps(
    ordered: PlannedTask,
    blind: PlannedTask,
    records: tuple[Sequence[Record], Sequence[Record]],
) -> dict[str, BlindGap]:
    """Compute the figures of the full set and of the parts that the benchmark wants beside it.

    Questions that failed, have no record or no value in one of the two variants are left out, as in
    `harness.probe.measures`. A benchmark without such parts has no figures.

    Args:
        ordered: The task as the ordered variant asks it.
        blind: The task as it is asked without frames.
        records: The records of the task in the two variants.
    """
    asked = {sample.id for sample in ordered.samples}
    parts = {name: ids for name, ids in ordered.beside.items() if ids is not None and ids & asked}
    if not parts or (all(asked <= ids for ids in parts.values()) and not _is_part(ordered)):
        return {}
    pairs = pair_values(ordered, blind, records)
    found: dict[str, BlindGap] = {}
    for name, belongs in _sets(ordered, parts).items():
        kept = [values for one, values in pairs.items() if belongs(one)]
        if kept:
            found[name] = _measure(kept)
    return found


def in_order(sets: Iterable[str]) -> list[str]:
    """Return names of sets with the full one first; JSON files sort them."""
    return sorted(sets, key=lambda name: (name != FULL, name))


def what_is_missing(ordered: PlannedTask, *, blind: bool) -> str | None:
    """Return what it takes to have all figures of `measure_gaps`; None where nothing is missing.

    Args:
        ordered: The task as the ordered variant asks it.
        blind: Whether it is asked without frames as well.
    """
    if not ordered.beside:
        return None
    names, task = " and ".join(ordered.beside), ordered.task.name
    unknown = [name for name, ids in ordered.beside.items() if ids is None]
    if unknown:
        return (
            f"the data do not say which questions are {' and '.join(unknown)};"
            f" `videor1 data fetch {task}` brings data that do"
        )
    asked = {sample.id for sample in ordered.samples}
    absent = [name for name, ids in ordered.beside.items() if ids is not None and not ids & asked]
    if absent:
        return f"no question that was asked is in {' and '.join(absent)}; ask more"
    if not blind:
        return f"{names} beside the full set need the variant without frames: add it to --variants"
    if _is_part(ordered):
        return f"the full set was not asked; --tasks {task} asks it, and has {names}, too"
    return None


def _is_part(planned: PlannedTask) -> bool:
    return registry.config_of(planned.selection) != ""


def _sets(
    planned: PlannedTask, parts: Mapping[str, frozenset[str]]
) -> dict[str, Callable[[str], bool]]:
    whole: dict[str, Callable[[str], bool]] = {}
    if not _is_part(planned):
        whole = {FULL: lambda name: True}
    return whole | {name: ids.__contains__ for name, ids in parts.items()}


def _measure(values: Values) -> BlindGap:
    seen, unseen, videos = zip(*values, strict=True)
    return BlindGap(
        seen=in_points(clustered_estimate(seen, videos)),
        blind=in_points(clustered_estimate(unseen, videos)),
        gap=in_points(paired_difference(unseen, seen, videos)),
    )
