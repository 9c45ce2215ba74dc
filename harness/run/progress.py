"""Shows the progress of an evaluation.

A terminal gets a bar, a notebook one line that changes, anything else a line now and then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.run.observer import RunObserver
from harness.schema import Outcome, Record

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_LINE_EVERY_S = 30.0
_NOTEBOOK_LINE_EVERY_S = 0.5


class ProgressBar(RunObserver):
    """Counts finished and failed items; prints to `console`, standard error by default."""

    def __init__(self, console: Console | None = None) -> None:
        from harness.text.console import make_console

        self._console = make_console(stderr=True) if console is None else console
        self._notebook = NotebookLine() if self._console.is_jupyter else None
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
        text = f"starting {backend}, decoding videos meanwhile"
        if self._notebook is not None:
            self._notebook.show(text)
            return nullcontext()
        return self._console.status(text)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Show the bar on a terminal; elsewhere end with a line that counts the items."""
        self._started = self._printed_at = time.monotonic()
        try:
            if not self._console.is_terminal or self._notebook is not None:
                yield
                return
            self._bar = _make_bar(self._console)
            self._bar.add_task(
                "evaluating", total=self._total, completed=self._done, rate="", failed=""
            )
            with self._bar:
                yield
        finally:
            if self._bar is None:
                self._print_line()
            self._bar = None

    def record(self, record: Record) -> None:
        """Count one finished item."""
        self._new += 1
        self._failed += record.outcome is Outcome.FAILED
        every = _LINE_EVERY_S if self._notebook is None else _NOTEBOOK_LINE_EVERY_S
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                advance=1,
                rate=f"{self._rate:.1f} items/s",
                failed=f"{self._failed} failed" if self._failed else "",
            )
        elif time.monotonic() - self._printed_at > every:
            self._print_line()

    def warn(self, message: str) -> None:
        """Print a warning."""
        self._console.print(message, style="yellow", markup=False)

    @property
    def _rate(self) -> float:
        return self._new / max(time.monotonic() - self._started, 1e-9)

    def _print_line(self) -> None:
        self._printed_at = time.monotonic()
        line = (
            f"{self._done + self._new} of {self._total} items, {self._failed} failed,"
            f" {self._rate:.1f} items/s"
        )
        if self._notebook is not None:
            self._notebook.show(line)
        else:
            self._console.print(line, markup=False)


class NotebookLine:
    """One line of a notebook cell's output, replaced by each new text.

    rich would need ipywidgets for the same.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Show a text in place of the one before."""
        from IPython.display import display

        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _make_bar(console: Console) -> Progress:
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
    )
