"""Shows on a terminal how a training run proceeds: decoding, faulty rows, updates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from harness.schema import MediaKind
from trainer.data.checks import SHOWN, RowReport, format_rest, media_kind
from trainer.runs.train import OnChecked, TrainObserver


class ConsoleObserver(TrainObserver):
    """Prints to a console, with live bars where it is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def checking(self) -> Iterator[OnChecked]:
        """Show a bar while rows and media are checked."""
        console = self._console
        with Progress(console=console, disable=not console.is_terminal) as progress:
            bar = progress.add_task("checking rows and media", total=None)
            yield lambda done, total: progress.update(bar, completed=done, total=total)

    def checked(self, report: RowReport) -> None:
        """Print rows per problem type, and the bad rows."""
        print_report(self._console, report)

    @contextmanager
    def training(self, out: Path) -> Iterator[Sequence[Any]]:
        """Say where the run is, and show a bar with the newest metrics."""
        from trainer.loops.callbacks import ProgressBar  # imports transformers

        self._console.print(f"training in {out}; run the same command again to resume")
        with ProgressBar(self._console) as bar:
            yield [bar]


def print_report(console: Console, report: RowReport) -> None:
    """Print rows per problem type and medium, then the bad rows by fault with the first few."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("problem type", style="bold", no_wrap=True)
    kinds = (MediaKind.VIDEO, MediaKind.IMAGE, None)
    for heading in ("videos", "images", "text only"):
        table.add_column(heading, justify="right")
    counts = Counter((row.sample.kind, media_kind(row)) for row in report.rows)
    for problem in dict.fromkeys(row.sample.kind for row in report.rows):
        table.add_row(problem, *(f"{counts[problem, kind]:,}" for kind in kinds))
    console.print(table)
    for fault, number in Counter(row.fault for row in report.bad).items():
        console.print(f"{fault}: {number:,} rows", style="yellow")
    for line in [*map(str, report.bad[:SHOWN]), *format_rest(len(report.bad))]:
        console.print(f"  {line}", soft_wrap=True)
