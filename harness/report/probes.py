"""Turns the results of a probe into the rows of the page's table of measures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.probe.measures import AGREEMENT, MEASURES
from harness.probe.summary import ProbeFigure, ProbeSummary
from harness.probe.table import notes
from harness.report.scores import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRow:
    """One measure of one task."""

    title: str
    task: str
    figure: Figure
    categories: tuple[tuple[str, Figure], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    """The measures of one probe."""

    model: str
    differences: tuple[MeasureRow, ...]
    """Ordered minus another variant, in points."""
    shares: tuple[MeasureRow, ...]
    """Agreement under moved options, in percent."""
    span: float
    """Points from the middle to the end of the axis of differences."""
    notes: tuple[str, ...]


def view_probe(probe: ProbeSummary) -> ProbeView:
    """Return what the page shows of a probe."""
    rows = [
        (measure.name, MeasureRow(
            title=measure.title,
            task=task,
            figure=_figure_of(found.total),
            categories=tuple((name, _figure_of(one)) for name, one in found.categories.items()),
        ))
        for measure in MEASURES
        for task, found in probe.measures.get(measure.name, {}).items()
        if found.total is not None
    ]  # fmt: skip
    differences = tuple(row for name, row in rows if name != AGREEMENT.name)
    return ProbeView(
        model=probe.model,
        differences=differences,
        shares=tuple(row for name, row in rows if name == AGREEMENT.name),
        span=find_span(
            figure
            for row in differences
            for figure in (row.figure, *(one for _, one in row.categories))
        ),
        notes=tuple(notes(probe)),
    )


def find_span(figures: Iterable[Figure]) -> float:
    """Return the least multiple of 10 points that holds every interval, 100 at most."""
    ends = [abs(end) for one in figures for end in (*(one.ci95 or ()), one.score or 0.0)]
    return min(100.0, 10.0 * max(1, -(-max(ends, default=0.0) // 10)))


def _figure_of(found: ProbeFigure) -> Figure:
    return Figure(score=found.value, ci95=found.ci95, n=found.n, videos=found.n_clusters)
