"""Progress of a long run: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.schema import Outcome, Record

if TYPE_CHECKING:
    from rich.console import Console

_LINE_EVERY_S = 30.0


class RunProgress:
    """Counts records as they are written; call it with each one, from any thread."""

    def __init__(self, console: Console, *, total: int, done: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = console
        self._total = total
        self._done = done
        self._new = 0
        self._failed = 0
        self._started = self._printed_at = time.monotonic()
        self._bar = Progress(
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
            disable=not console.is_terminal,
        )
        self._line = self._bar.add_task(
            "evaluating", total=total, completed=done, rate="", failed=""
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if not self._console.is_terminal:
            self._print()

    def __call__(self, record: Record) -> None:
        """Count one finished item."""
        self._new += 1
        self._failed += record.outcome is Outcome.FAILED
        self._bar.update(
            self._line,
            advance=1,
            rate=f"{self._rate:.1f} items/s",
            failed=f"{self._failed} failed" if self._failed else "",
        )
        if time.monotonic() - self._printed_at > _LINE_EVERY_S and not self._console.is_terminal:
            self._print()

    @property
    def _rate(self) -> float:
        return self._new / max(time.monotonic() - self._started, 1e-9)

    def _print(self) -> None:
        self._printed_at = time.monotonic()
        self._console.print(
            f"{self._done + self._new} of {self._total} items, {self._failed} failed,"
            f" {self._rate:.1f} items/s"
        )
