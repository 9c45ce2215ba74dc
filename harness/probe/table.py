"""Puts the results of a probe into tables of short texts: one per probe, one per task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.probe.blind_gap import FULL, in_order
from harness.probe.config import OPTIONS, VARIANTS
from harness.probe.measures import AGREEMENT, MEASURES, Measure
from harness.probe.summary import (
    BlindGap,
    ProbeFigure,
    ProbeSummary,
    TaskMeasure,
    VariantScore,
)
from harness.run.summary import is_subcategory
from harness.schema import Outcome, Variant
from harness.text.shown import for_markdown

LEGEND = (
    "score: percent, with its 95 % interval. ordered minus: how much more the same questions score"
    " with the frames in order, in points. same option: share of multiple-choice questions whose"
    " chosen option keeps its text when options move by one place. Every comparison is paired and"
    " its interval clustered by video."
)
GAP_LEGEND = (
    "gap: ordered minus blind. In the table of parts each question counts once (micro), as in their"
    " publisher's tables; the scores above are averaged as the benchmark averages them."
)
_NOTHING = "-"
_SYMMETRICAL = 0.1


@dataclass(frozen=True, slots=True)
class ProbeTable:
    """One table; the first columns are texts, the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int
    """How many of the first columns hold text."""


def make_tables(probe: ProbeSummary) -> list[ProbeTable]:
    """Return the table of all tasks and variants, and those of parts and of categories."""
    by_category = [table for task in probe.tasks for table in _by_category(probe, task)]
    gaps = [
        _gap_table(task, {name: sets[name] for name in in_order(sets)})
        for task, sets in probe.blind_gaps.items()
    ]
    return [_whole_table(probe), *gaps, *by_category]


def notes(probe: ProbeSummary) -> list[str]:
    """Return the legend, what was not asked, and what could not be compared."""
    lines = [LEGEND]
    if probe.blind_gaps:
        lines.append(GAP_LEGEND)
    lines += [f"{task}: {why}" for task, why in probe.missing_gaps.items()]
    for variant, tasks in probe.left_out.items():
        lines += [f"{task}, {variant}: not asked: {why}" for task, why in tasks.items()]
    for measure in MEASURES:
        for task, found in probe.measures.get(measure.name, {}).items():
            if found.left_out:
                lines.append(f"{task}, {measure.variant}: not compared: {_reasons(found)}")
    return lines


def as_markdown(probe: ProbeSummary) -> str:
    """Write the tables as Markdown, for a pull request or a step summary."""
    parts = [f"## videor1 probe: {for_markdown(probe.model)}"]
    for table in make_tables(probe):
        parts += [f"### {for_markdown(table.title)}"] if table.title else []
        head, *rows = (
            f"| {' | '.join(map(for_markdown, r))} |" for r in (table.header, *table.rows)
        )
        parts.append("\n".join((head, "|" + " --- |" * len(table.header), *rows)))
    parts += [f"- {for_markdown(note)}" for note in notes(probe)]
    return "\n\n".join(parts) + "\n"


def with_interval(figure: ProbeFigure | None, *, signed: bool) -> str:
    """Return ``+42.5 ± 6.4``, with the ends of the interval where it is not symmetrical."""
    if figure is None:
        return _NOTHING
    return _with_ends(figure.value, figure.ci95, "+" if signed else "")


def _whole_table(probe: ProbeSummary) -> ProbeTable:
    return ProbeTable(
        title="",
        header=("task", "variant", "score", "ordered minus", "same option", "items", "videos"),
        rows=tuple(
            _variant_cells(probe, task, name)
            for task in probe.tasks
            for name in VARIANTS
            if name in probe.variants and task in probe.variants[name].tasks
        ),
        texts=2,
    )


def _gap_table(task: str, sets: Mapping[str, BlindGap]) -> ProbeTable:
    """Return the table of the full set and its parts, and how far these are from it."""
    rows = [
        (
            name,
            with_interval(one.blind, signed=False),
            with_interval(one.seen, signed=False),
            with_interval(one.gap, signed=True),
            f"{one.gap.n:,}",
            f"{one.gap.n_clusters:,}",
        )
        for name, one in sets.items()
    ]
    full = sets.get(FULL)
    for name, one in sets.items():
        if full is not None and name != FULL:
            pairs = ((one.blind, full.blind), (one.seen, full.seen), (one.gap, full.gap))
            drop, seen, gap = (f"{_zero(part.value - all_.value):+.1f}" for part, all_ in pairs)
            rows.append((f"{name} minus {FULL}", drop, seen, gap, "", ""))
    return ProbeTable(
        title=f"{task} without frames: {' and '.join(sets)}",
        header=("questions", "blind", "ordered", "gap", "items", "videos"),
        rows=tuple(rows),
        texts=1,
    )


def _variant_cells(probe: ProbeSummary, task: str, name: str) -> tuple[str, ...]:
    score = probe.variants[name].tasks[task]
    found = next((m for m in MEASURES if m.variant == name), None)
    figure = None if found is None else probe.measure(found.name, task)
    agreement = found is AGREEMENT
    items, videos = (
        (score.n_scored, score.n_clusters) if figure is None else (figure.n, figure.n_clusters)
    )
    return (
        task,
        name,
        _score_text(score),
        _NOTHING if agreement else with_interval(figure, signed=True),
        with_interval(figure, signed=False) if agreement else _NOTHING,
        f"{items:,}",
        f"{videos:,}",
    )


def _by_category(probe: ProbeSummary, task: str) -> Iterable[ProbeTable]:
    """Yield the table of a task by category, as deep as `eval` prints it."""
    ordered = probe.variants[Variant.ORDERED].tasks[task]
    names = [name for name in ordered.breakdown if not is_subcategory(name)]
    if len(names) < 2:
        return
    shown = [m for m in MEASURES if m.variant in (Variant.SHUFFLED, Variant.BLIND, OPTIONS)]
    shown = [m for m in shown if task in probe.measures.get(m.name, {})]
    if shown:
        yield ProbeTable(
            title=f"{task} by category",
            header=("category", Variant.ORDERED.value, *(m.title for m in shown), "items"),
            rows=tuple(_category_cells(probe, task, name, shown) for name in names),
            texts=1,
        )


def _category_cells(
    probe: ProbeSummary, task: str, name: str, shown: Sequence[Measure]
) -> tuple[str, ...]:
    line = probe.variants[Variant.ORDERED].tasks[task].breakdown[name]
    score = line["score"]
    figures = [
        with_interval(probe.measures[m.name][task].categories.get(name), signed=m is not AGREEMENT)
        for m in shown
    ]
    return name, _NOTHING if score is None else f"{score:.1f}", *figures, str(line["n"])


def _score_text(score: VariantScore) -> str:
    if score.score is None:
        return _NOTHING
    failed = score.outcomes.get(Outcome.FAILED, 0) + score.missing
    mark = f" ({failed} failed)" if failed else ""
    return f"{_with_ends(score.score, score.ci95, '')}{mark}"


def _with_ends(value: float, ends: tuple[float, float] | None, sign: str) -> str:
    shown = f"{_zero(value):{sign}.1f}"
    if ends is None:
        return shown
    below, above = value - ends[0], ends[1] - value
    if abs(below - above) < _SYMMETRICAL:
        return f"{shown} ± {max(below, above):.1f}"
    low, high = (f"{_zero(end):{sign}.1f}" for end in ends)
    return f"{shown} [{low}, {high}]"


def _reasons(found: TaskMeasure) -> str:
    return ", ".join(f"{count} questions ({why})" for why, count in found.left_out.items())


def _zero(value: float) -> float:
    """Return a value that is not printed as ``-0.0``."""
    return 0.0 if abs(value) < 0.05 else value
