"""Gathers what the first page says: runs, scores, categories, protocols, failures, frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.probe.summary import ProbeSummary
from harness.report.answers import Answers
from harness.report.compare import TaskComparison, VideoFlips, compare_task, list_flips, pair_items
from harness.report.frames import Videos
from harness.report.probes import ProbeView, find_span, view_probe
from harness.report.scores import FailureReason, Figure, TaskFigures, list_failures, measure_task
from harness.report.scripts import shown
from harness.run.manifest_facts import numeric_differences, partial_tasks
from harness.run.numeric import numeric_of
from harness.task import registry

MOST_WHOLE = 8
"""Runs up to which each is compared with the first in every category."""
MOST_FLIPS = 30
"""Videos listed on the page of a comparison; the list of items has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """One category of a task, or a group of categories that its score has."""

    name: str
    depth: int
    """Depth in the tree of categories."""
    is_filter: bool
    """Whether the list of items can be filtered by it; not so for groups across categories."""
    figures: tuple[Figure | None, ...]
    """One per run, in the order of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSection:
    """One task: the runs on it, in the order of the report; None where a run has not asked it."""

    name: str
    title: str
    runs: tuple[TaskFigures | None, ...]
    categories: tuple[CategoryRow, ...]

    @property
    def asked(self) -> list[tuple[int, TaskFigures]]:
        """Position and figures of the runs that asked the task."""
        return [(number, one) for number, one in enumerate(self.runs) if one is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side, by their positions in the report."""

    base: int
    other: int
    tasks: tuple[TaskComparison, ...]
    flips: tuple[VideoFlips, ...]
    is_whole: bool
    """Whether it has categories and flips; with many runs only the differences are shown."""
    more_flips: int
    """Videos with flips that are not listed."""
    span: float
    """Points from the middle to the end of the axis of differences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolTable:
    """A task's protocol: what all runs share, and the fields in which they differ."""

    task: str
    labels: tuple[tuple[str, int], ...]
    """The runs that ask the task: label and position in the report."""
    shared: tuple[tuple[str, str], ...]
    differing: tuple[tuple[str, tuple[str, ...]], ...]
    """Field, and its value in each of these runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that the template of the first page prints."""

    runs: tuple[Answers, ...]
    tasks: tuple[TaskSection, ...]
    comparisons: tuple[Comparison, ...]
    """Of two runs one, of more each with the first."""
    protocols: tuple[ProtocolTable, ...]
    failures: tuple[tuple[str, FailureReason], ...]
    """Label of the run and the reason."""
    notes: tuple[str, ...]
    """What a reader must know before trusting the page."""
    frame_problems: tuple[tuple[str, int], ...]
    """Why videos have no frames, and how many."""
    probes: tuple[ProbeView, ...]
    framed: int
    """Videos with frames."""
    items: int

    @property
    def is_trend(self) -> bool:
        """Whether the runs are checkpoints of one training."""
        return len(self.runs) > 1 and all(run.source.step is not None for run in self.runs)


def make_overview(
    runs: Sequence[Answers],
    probes: Iterable[ProbeSummary],
    videos: Videos,
    notes: Iterable[str],
    items: int,
) -> Overview:
    """Compute the first page of a report.

    Args:
        runs: The runs, the one that others are compared with first.
        probes: Results of the probes among the folders named.
        videos: The files with their pictures, as drawn.
        notes: What to say of the questions.
        items: Number of items of the report.
    """
    tasks = tuple(dict.fromkeys(task for run in runs for task in run.source.manifest["protocol"]))
    problems = Counter(_kind_of_problem(video.problem) for video in videos if video.problem)
    return Overview(
        runs=tuple(runs),
        tasks=tuple(_make_section(task, runs) for task in tasks),
        comparisons=tuple(_compare(runs, other, tasks) for other in range(1, len(runs))),
        protocols=tuple(_tabulate_protocol(task, runs) for task in tasks),
        failures=tuple(
            (run.source.label, reason)
            for run in runs
            for reason in list_failures(run.records.values())
        ),
        notes=(*notes, *_list_notes(runs)),
        frame_problems=tuple(problems.most_common()),
        probes=tuple(view_probe(probe) for probe in probes),
        framed=sum(video.sprite is not None for video in videos),
        items=items,
    )


def _make_section(task: str, runs: Sequence[Answers]) -> TaskSection:
    figures = tuple(
        measure_task(run, task) if task in run.source.manifest["protocol"] else None for run in runs
    )
    names = sorted({name for one in figures if one for name in one.categories})
    used = {
        f"{record.category}/"
        for run in runs
        for record in run.items.values()
        if record.task == task
    }
    return TaskSection(
        name=task,
        title=_title_of(task),
        runs=figures,
        categories=tuple(
            CategoryRow(
                name=name,
                depth=name.count("/"),
                is_filter=any(one.startswith(f"{name}/") for one in used),
                figures=tuple(one.categories.get(name) if one else None for one in figures),
            )
            for name in names
        ),
    )


def _title_of(task: str) -> str:
    """Return the title of an installed benchmark, else its name."""
    try:
        return registry.get(task).title
    except HarnessError:
        return task


def _compare(runs: Sequence[Answers], other: int, tasks: Sequence[str]) -> Comparison:
    base, second = runs[0], runs[other]
    found = [compare_task(base, second, task) for task in tasks]
    pairs = [pair for task in tasks for pair in pair_items(base, second, task)]
    flips = list_flips(pairs)
    compared = tuple(one for one in found if one is not None)
    return Comparison(
        base=0,
        other=other,
        tasks=compared,
        flips=tuple(flips[:MOST_FLIPS]),
        is_whole=len(runs) <= MOST_WHOLE,
        more_flips=max(0, len(flips) - MOST_FLIPS),
        span=find_span(
            one.figure for task in compared for one in (task.whole, *task.categories.values())
        ),
    )


def _tabulate_protocol(task: str, runs: Sequence[Answers]) -> ProtocolTable:
    asked = [run for run in runs if task in run.source.manifest["protocol"]]
    protocols = [_flatten_settings(run, task) for run in asked]
    names = sorted({name for one in protocols for name in one})
    rows = {name: tuple(_as_text(one.get(name)) for one in protocols) for name in names}
    return ProtocolTable(
        task=task,
        labels=tuple((run.source.label, runs.index(run)) for run in asked),
        shared=tuple((name, row[0]) for name, row in rows.items() if len(set(row)) == 1),
        differing=tuple((name, row) for name, row in rows.items() if len(set(row)) > 1),
    )


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _flatten_settings(run: Answers, task: str) -> dict[str, Any]:
    manifest = run.source.manifest
    data = _flatten(manifest["data"].get(task) or {}, "data.")
    return {**_flatten(manifest["protocol"][task]), **data}


def _as_text(value: Any) -> str:
    if value is None or value in ({}, [], ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _list_notes(runs: Sequence[Answers]) -> list[str]:
    notes = []
    unfinished = [run.source.label for run in runs if not run.summaries]
    if unfinished:
        notes.append(f"not finished (no summary.json): {', '.join(unfinished)}")
    for run in runs:
        label, manifest = run.source.label, run.source.manifest
        notes += [f"{label}: {task} asks {part}" for task, part in partial_tasks(manifest).items()]
    first = runs[0].source
    for run in runs[1:]:
        differing = numeric_differences(numeric_of(first.manifest), numeric_of(run.source.manifest))
        if differing:
            notes.append(
                f"{first.label} and {run.source.label} have different engine settings:"
                f" {'; '.join(differing)}"
            )
    return notes


def _kind_of_problem(problem: str | None) -> str:
    """Return a problem without its path, so that equal ones are counted together."""
    text = shown(problem) or ""
    if " is not there; " in text:
        return "the file is not there; name the data root with --data DIR"
    return text
