"""Shows on a terminal how a training run proceeds: decoding, faulty rows, updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from trainer.cli.rows_view import print_report
from trainer.data.checks import RowReport
from trainer.runs.phase_times import PhaseTimes
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

    def trained(self, times: PhaseTimes) -> None:
        """Print the seconds of an update by phase."""
        self._console.print(str(times), soft_wrap=True, highlight=False)

    @contextmanager
    def training(self, out: Path) -> Iterator[Sequence[Any]]:
        """Say where the run is, and show a bar with the newest metrics."""
        from trainer.loops.callbacks import ProgressBar  # imports transformers

        self._console.print(f"training in {out}; run the same command again to resume")
        with ProgressBar(self._console) as bar:
            yield [bar]
