"""Prints what a check of training rows found: rows by problem type, faults by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from harness.schema import Kind, MediaKind
from harness.text.numbers import format_number
from trainer.data.checks import PAGE, RowReport, media_kind
from trainer.data.example_rows import example_of
from trainer.data.faults import FaultGroup, group_faults
from trainer.data.survey import count_letters, measure_spreads

if TYPE_CHECKING:
    from trainer.runs.row_check import CheckedRows

SHOWN = 5
"""Rows that are listed per fault; the others are counted."""


def print_report(console: Console, report: RowReport) -> None:
    """Print rows per problem type and medium, then every fault with its first rows."""
    if report.rows:
        _print_kinds(console, report)
    groups = group_faults(report.bad)
    for group in groups:
        _print_group(console, group)
    if groups:
        _print_examples(console, groups)


def _print_kinds(console: Console, report: RowReport) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("problem type", style="bold", no_wrap=True)
    kinds = (MediaKind.VIDEO, MediaKind.IMAGE, None)
    for heading in ("videos", "images", "text only"):
        table.add_column(heading, justify="right")
    counts = Counter((row.sample.kind, media_kind(row)) for row in report.rows)
    for problem in dict.fromkeys(row.sample.kind for row in report.rows):
        table.add_row(problem, *(f"{counts[problem, kind]:,}" for kind in kinds))
    console.print(table)


def _print_group(console: Console, group: FaultGroup) -> None:
    console.print(f"{group.fault}: {group.rows:,} rows", style="yellow")
    for bad in group.bad[:SHOWN]:
        console.print(f"  {bad.where}: {bad.message}", soft_wrap=True)
    if len(group.bad) > SHOWN:
        console.print(f"  and {len(group.bad) - SHOWN:,} more")


def _print_examples(console: Console, groups: Sequence[FaultGroup]) -> None:
    """Print a right row of each problem type that a faulty row has."""
    kinds = dict.fromkeys(bad.kind for group in groups for bad in group.bad if bad.kind)
    for kind in kinds or (Kind.MULTIPLE_CHOICE,):
        console.print(f"a right row, {kind} ({PAGE} describes every field):", style="green")
        console.print(f"  {example_of(kind).as_line()}", soft_wrap=True, highlight=False)


def print_spreads(console: Console, checked: CheckedRows) -> None:
    """Print how long questions, videos and prompts are, and which letters are right how often."""
    spreads = measure_spreads(checked.report.rows, checked.measured)
    if not spreads:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("length", style="bold", no_wrap=True)
    for heading in ("rows", "least", "median", "95 %", "most"):
        table.add_column(heading, justify="right")
    for spread in spreads:
        ends = (spread.least, spread.median, spread.p95, spread.most)
        name = f"{spread.name}, {spread.unit}"
        table.add_row(name, f"{spread.count:,}", *map(format_number, ends))
    console.print(table)
    for number, counts in count_letters(checked.report.rows):
        found = ", ".join(f"{letter} {count:,}" for letter, count in counts)
        console.print(f"right letters of {number} options: {found}")
