"""Columns of a board that come from probes: temporal gain, blind score, option agreement.

The row of a probe is its ordered variant; the figures are those of ``probe.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from harness.board.entry import Entry
from harness.board.figures import Column, Figure
from harness.board.titles import title_of
from harness.probe.blind_gap import in_order
from harness.probe.measures import AGREEMENT, GAIN
from harness.probe.summary import ProbeFigure, ProbeSummary, is_probe, read_probe
from harness.schema import Variant

_BLIND = "blind"
_GAP = "gap"
_NOTES = {
    _GAP: "gap: ordered minus blind; of the full set and its parts, each question counting once",
    GAIN.name: "temporal gain: ordered minus shuffled frames, in points, on the same questions",
    _BLIND: "blind: score without frames",
    AGREEMENT.name: "option agreement: share of multiple-choice questions whose chosen option keeps"
    " its text when the options move, in percent",
}

Find = Callable[[ProbeSummary, str], Figure | None]


def probe_columns(entries: Sequence[Entry]) -> tuple[Column, ...]:
    """Return the columns of which a row has a figure, task by task.

    Args:
        entries: The rows of the board, before runs are joined.

    Raises:
        DatasetError: A ``probe.json`` is damaged; names file and field.
    """
    told: set[str] = set()
    columns: list[Column] = []
    for name, column in _all_columns(entries):
        if any(column.figure(entry) is not None for entry in entries):
            columns.append(replace(column, note="" if name in told else _NOTES[name]))
            told.add(name)
    return tuple(columns)


def _all_columns(entries: Sequence[Entry]) -> Iterator[tuple[str, Column]]:
    """Yield each column with what it shows."""
    tasks = list(dict.fromkeys(task for entry in entries for task in entry.settings))
    find: dict[str, Find] = {
        GAIN.name: partial(_measure, name=GAIN.name),
        _BLIND: _blind_score,
        AGREEMENT.name: partial(_measure, name=AGREEMENT.name),
    }
    for task in tasks:
        yield from _gap_columns(entries, task, "" if len(tasks) == 1 else f"{title_of(task)} ")
        for name, found in find.items():
            title = name.replace("_", " ")
            yield (
                name,
                Column(
                    name=f"{task} {name}",
                    title=title if len(tasks) == 1 else f"{title_of(task)} {title}",
                    note="",
                    figure=partial(_figure, task=task, find=found),
                ),
            )


def _gap_columns(entries: Sequence[Entry], task: str, before: str) -> Iterator[tuple[str, Column]]:
    """Yield three columns per set where a benchmark has parts beside its full set.

    Args:
        entries: The rows of the board.
        task: The benchmark.
        before: What its headings begin with.
    """
    probes = [_probe_of(folder) for entry in entries for folder in entry.folders]
    sets = dict.fromkeys(
        name for probe in probes if probe is not None for name in probe.blind_gaps.get(task, ())
    )
    for name in in_order(sets):
        for part, heading in (("blind", "blind"), ("seen", "ordered"), ("gap", "gap")):
            column = Column(
                name=f"{task} {name} {part}",
                title=f"{before}{name} {heading}",
                note="",
                figure=partial(_figure, task=task, find=partial(_gap, name=name, part=part)),
            )
            yield _GAP, column


def _gap(probe: ProbeSummary, task: str, *, name: str, part: str) -> Figure | None:
    found = probe.blind_gaps.get(task, {}).get(name)
    if found is None:
        return None
    figure: ProbeFigure = getattr(found, part)
    return Figure(score=figure.value, ci95=figure.ci95)


def _figure(entry: Entry, *, task: str, find: Find) -> Figure | None:
    """Return a figure of the first of a row's probes that has it."""
    for folder in entry.folders:
        probe = _probe_of(folder)
        figure = None if probe is None else find(probe, task)
        if figure is not None:
            return figure
    return None


@cache
def _probe_of(folder: Path) -> ProbeSummary | None:
    """Return the probe whose ordered variant a run is, None where it is none."""
    place = folder.resolve()
    if place.name != Variant.ORDERED or not is_probe(place.parent):
        return None
    return read_probe(place.parent)


def _measure(probe: ProbeSummary, task: str, *, name: str) -> Figure | None:
    found = probe.measure(name, task)
    return None if found is None else Figure(score=found.value, ci95=found.ci95)


def _blind_score(probe: ProbeSummary, task: str) -> Figure | None:
    blind = probe.variants.get(Variant.BLIND)
    score = None if blind is None else blind.tasks.get(task)
    return None if score is None else Figure(score=score.score, ci95=score.ci95)
