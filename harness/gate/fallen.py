"""Chooses and words what a gate shows of the items that fell, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from harness.gate.changes import CategoryChange, Flip, TaskChange, VideoChange
from harness.gate.policy import Tier
from harness.gate.result import GateResult, Verdict
from harness.text.shown import one_line

CATEGORY_HEADINGS = ("category", "items", "baseline", "run", "change", "95 % CI", "fell", "rose")
FLIP_HEADINGS = ("video", "item", "question", "options", "gold", "baseline", "run", "outcome")
_SHOWN_CATEGORIES = 10
_SHOWN_VIDEOS = 4
_SHOWN_OF_VIDEO = 3
_SHOWN_ANSWER = 60
_SHOWN_OPTION = 40
_SHOWN_QUESTION = 300
_ALL = "--json FILE has all of them"


@dataclass(frozen=True, slots=True)
class CategoryTable:
    """The categories of one task, the largest drop first."""

    title: str
    rows: Sequence[tuple[str, ...]]
    rest: str
    """What is not shown; empty where all is."""


@dataclass(frozen=True, slots=True)
class FallenItems:
    """The items of one task that fell, under their videos."""

    title: str
    videos: Sequence[tuple[str, Sequence[Flip]]]
    """Per video a line that describes it, and its items."""
    rest: Sequence[str]
    """What is not shown."""


def category_tables(gate: GateResult) -> list[CategoryTable]:
    """Return the categories of every task whose score fell, tasks with the worst verdict first."""
    found = {line.name: line.comparison for line in gate.lines}
    tables = []
    for change in gate.changes:
        compared = found[change.task]
        if change.categories and compared is not None and compared.difference.mean < 0:
            tables.append(_make_categories(change))
    return tables


def fallen_items(gate: GateResult) -> list[FallenItems]:
    """Return the items that fell in the tasks that decided the verdict.

    Those that regressed, or where none has, those that are inconclusive; nothing where all pass.
    """
    for verdict in (Verdict.REGRESSION, Verdict.INCONCLUSIVE):
        decided = [line for line in gate.lines if line.verdict is verdict]
        required = [line for line in decided if line.tier is Tier.REQUIRED]
        names = {line.name for line in required or decided}
        shown = [one for one in gate.changes if one.task in names and one.fell]
        if shown:
            return [_choose_items(one, lacking=gate.no_questions) for one in shown]
    return []


def flip_lines(flip: Flip) -> list[str]:
    """Describe an item for a terminal: its name, then question, options and answers."""
    lines = [one_line(f"{flip.id}  {flip.category}")]
    if flip.question is not None:
        lines.append(cut_text(flip.question, _SHOWN_QUESTION))
    if flip.options:
        lines.append(_format_options(flip.options))
    answers = f"gold {cut_text(flip.gold)} · baseline {cut_text(flip.base)}"
    return [*lines, f"{answers} · run {cut_text(flip.candidate)} ({flip.outcome.value})"]


def flip_cells(flip: Flip) -> tuple[str, ...]:
    """Describe an item in a row under `FLIP_HEADINGS`."""
    return (
        flip.video,
        flip.id,
        "-" if flip.question is None else cut_text(flip.question, _SHOWN_QUESTION),
        _format_options(flip.options) or "-",
        cut_text(flip.gold),
        cut_text(flip.base),
        cut_text(flip.candidate),
        flip.outcome.value,
    )


def cut_text(text: str, length: int = _SHOWN_ANSWER) -> str:
    """Return the start of a text on one line, without controls; an empty one as ``(empty)``."""
    line = one_line(text[: 4 * length]) or "(empty)"
    return line if len(line) <= length else line[: length - 1] + "…"


def _make_categories(change: TaskChange) -> CategoryTable:
    shown = change.categories[:_SHOWN_CATEGORIES]
    hidden = len(change.categories) - len(shown)
    return CategoryTable(
        title=f"What changed in {change.task}",
        rows=[_category_cells(one) for one in shown],
        rest=f"{hidden} further categories changed less; {_ALL}" if hidden else "",
    )


def _category_cells(one: CategoryChange) -> tuple[str, ...]:
    interval = "-"
    if one.ci95 is not None:
        interval = f"{100 * one.ci95[0]:+.1f} {100 * one.ci95[1]:+.1f}"
    return (
        one.name,
        f"{one.n:,}",
        f"{100 * one.base:.1f}",
        f"{100 * one.candidate:.1f}",
        f"{100 * one.change:+.1f}",
        interval,
        f"{one.fell:,}",
        f"{one.rose:,}",
    )


def _choose_items(change: TaskChange, *, lacking: str | None) -> FallenItems:
    shown = [(video, video.flips[:_SHOWN_OF_VIDEO]) for video in change.videos[:_SHOWN_VIDEOS]]
    hidden = change.fell - sum(len(flips) for _, flips in shown)
    return FallenItems(
        title=(
            f"{change.task}: {change.fell:,} of {change.n:,} items fell, {change.rose:,} rose;"
            f" they fell in {len(change.videos):,} videos, first those that weigh most"
        ),
        videos=[(_describe_video(video), flips) for video, flips in shown],
        rest=[
            *([f"{hidden:,} further items of {change.task} fell; {_ALL}"] if hidden else []),
            *([lacking] if lacking else []),
        ],
    )


def _describe_video(video: VideoChange) -> str:
    return (
        f"{video.name}: {len(video.flips)} of {video.n} items fell,"
        f" {100 * video.pull:+.2f} points of the score"
    )


def _format_options(options: Sequence[str]) -> str:
    letters = (*ascii_uppercase, *("?" * max(0, len(options) - len(ascii_uppercase))))
    named = (
        f"{letter}. {cut_text(option, _SHOWN_OPTION)}"
        for letter, option in zip(letters, options, strict=False)
    )
    return "  ".join(named)
