"""Shows the progress of an evaluation: a bar on a terminal or in a notebook, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.run.observer import RunObserver
from harness.schema import Outcome, Record

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_LINE_EVERY_S = 30.0


class ProgressBar(RunObserver):
    """Counts finished and failed items; prints to `console`, standard error by default."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = Console(stderr=True) if console is None else console
        self._live = self._console.is_terminal or self._console.is_jupyter
        self._bar: Progress | None = None
        self._total = 0
        self._done = 0
        self._new = 0
        self._failed = 0
        self._started = self._printed_at = time.monotonic()

    def begin(self, folder: Path, *, total: int, done: int) -> None:
        """Say what an earlier invocation has finished."""
        self._total, self._done = total, done
        if 0 < done < total:
            self._console.print(
                f"resuming {folder}: {done} of {total} items are done", markup=False
            )

    def starting(self, backend: str) -> AbstractContextManager[object]:
        """Show a status line while the engine starts."""
        return self._console.status(f"starting {backend}, decoding videos meanwhile")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Show the bar; where nothing live can be shown, print a line now and then."""
        self._started = self._printed_at = time.monotonic()
        self._bar = _make_bar(self._console, live=self._live)
        self._bar.add_task(
            "evaluating", total=self._total, completed=self._done, rate="", failed=""
        )
        try:
            with self._bar:
                yield
        finally:
            self._bar = None
            if not self._live:
                self._print_line()

    def record(self, record: Record) -> None:
        """Count one finished item."""
        self._new += 1
        self._failed += record.outcome is Outcome.FAILED
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                advance=1,
                rate=f"{self._rate:.1f} items/s",
                failed=f"{self._failed} failed" if self._failed else "",
            )
        if not self._live and time.monotonic() - self._printed_at > _LINE_EVERY_S:
            self._print_line()

    def warn(self, message: str) -> None:
        """Print a warning."""
        self._console.print(message, style="yellow", markup=False)

    @property
    def _rate(self) -> float:
        return self._new / max(time.monotonic() - self._started, 1e-9)

    def _print_line(self) -> None:
        self._printed_at = time.monotonic()
        self._console.print(
            f"{self._done + self._new} of {self._total} items, {self._failed} failed,"
            f" {self._rate:.1f} items/s"
        )


def _make_bar(console: Console, *, live: bool) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("[red]{task.fields[failed]}[/red]"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not live,
    )
