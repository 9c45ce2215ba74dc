"""What a person sees at the end of a run: scores with intervals, outcomes, categories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.schema import Outcome, Record, TaskSummary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_BAR_WIDTH = 24
_SHOWN_REASONS = 10
_SHOWN_OUTCOMES = (
    Outcome.CORRECT,
    Outcome.PARTIAL,
    Outcome.WRONG,
    Outcome.NO_ANSWER,
    Outcome.TRUNCATED,
    Outcome.FAILED,
)


def print_summaries(console: Console, summaries: Mapping[str, TaskSummary]) -> None:
    """Print the score table, then one breakdown per task."""
    console.print(score_table(summaries))
    for name, summary in summaries.items():
        if len(summary.breakdown) > 1:
            console.print(breakdown_table(name, summary))
        for figure, value in summary.extra.items():
            console.print(f"  {name} {figure.replace('_', ' ')}: {value:.1f}")


def print_failures(console: Console, records: Iterable[Record]) -> None:
    """Print why items failed, one line per reason, most frequent first."""
    from rich.text import Text

    reasons: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for record in records:
        if record.failure is not None:
            failure = record.failure
            reasons[failure.stage, failure.error, failure.message].append(record.id)
    if not reasons:
        return
    console.print(Text("Failed items", style="bold red"))
    ranked = sorted(reasons.items(), key=lambda entry: -len(entry[1]))
    for (stage, error, message), ids in ranked[:_SHOWN_REASONS]:
        console.print(Text(f"  {len(ids)} x {stage}: {error}: {message} (first: {ids[0]})"))
    if len(ranked) > _SHOWN_REASONS:
        console.print(f"  and {len(ranked) - _SHOWN_REASONS} more reasons; see the records")


def score_table(summaries: Mapping[str, TaskSummary]) -> Table:
    """Build the main table: one line per task."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="Scores", title_justify="left", title_style="bold")
    table.add_column("task", style="bold", no_wrap=True)
    table.add_column("score", justify="right", style="bold cyan")
    table.add_column("95 % CI", justify="right")
    for heading in ("items", "videos"):
        table.add_column(heading, justify="right")
    for outcome in _SHOWN_OUTCOMES:
        table.add_column(outcome.value.replace("_", " "), justify="right")
    table.add_column("scorer, mean", style="dim")
    table.add_column("protocol", style="dim", no_wrap=True)
    for name, summary in summaries.items():
        table.add_row(name, *_score_cells(summary))
    return table


def breakdown_table(name: str, summary: TaskSummary) -> Table:
    """Build the per-category table of one task, with a bar for each score."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title=f"{name} by category", title_justify="left")
    table.add_column("category", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("± SE", justify="right", style="dim")
    table.add_column("items", justify="right")
    table.add_column("")
    for category, line in summary.breakdown.items():
        if category.replace("*/", "", 1).count("/"):
            continue  # finer levels are in summary.json; on a screen they would bury the rest
        score, se = line["score"], line["se"]
        table.add_row(category, _number(score), _number(se), str(line["n"]), _bar(score))
    return table


def _score_cells(summary: TaskSummary) -> list[RenderableType]:
    interval = "-" if summary.ci95 is None else f"{summary.ci95[0]:.1f} - {summary.ci95[1]:.1f}"
    cells: list[RenderableType] = [
        _number(summary.score),
        interval,
        _items(summary),
        str(summary.n_clusters),
    ]
    for outcome in _SHOWN_OUTCOMES:
        count = summary.outcomes.get(outcome, 0)
        alarming = count and outcome in (Outcome.FAILED, Outcome.TRUNCATED)
        cells.append(f"[red]{count}[/red]" if alarming else str(count))
    return [*cells, f"{summary.scorer}, {summary.aggregation}", summary.protocol_hash]


def _items(summary: TaskSummary) -> str:
    notes = [
        f"{count} {word}"
        for count, word in ((summary.missing, "missing"), (summary.dropped, "dropped"))
        if count
    ]
    return f"{summary.n} ({', '.join(notes)})" if notes else str(summary.n)


def _number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _bar(score: float | int | None) -> str:
    filled = 0 if score is None else round(score / 100 * _BAR_WIDTH)
    return f"[cyan]{'━' * filled}[/cyan][dim]{'─' * (_BAR_WIDTH - filled)}[/dim]"
