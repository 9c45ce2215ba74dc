"""Shows the progress of an evaluation.

A terminal gets a table that moves, a notebook lines that change, anything else a line a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.progress_text import one_line, plain_lines, table
from harness.run.running import RunCounter
from harness.schema import Record

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from harness.replicas.standing import ReplicaState

LINE_EVERY_S = 60.0
_NOTEBOOK_EVERY_S = 1.0
_FRAMES_PER_S = 4


class ProgressBar(RunObserver):
    """Shows items, videos, score and speed; prints to `console`, standard error by default.

    Args:
        console: Where to print.
        every_s: Seconds between two lines where there is no terminal.
    """

    def __init__(self, console: Console | None = None, *, every_s: float = LINE_EVERY_S) -> None:
        from harness.text.console import make_console

        self._console = make_console(stderr=True) if console is None else console
        self._notebook = NotebookLine() if self._console.is_jupyter else None
        self._every_s = every_s
        self._counter = RunCounter()

    def begin(self, folder: Path, *, total: int, done: int) -> None:
        """Say what an earlier invocation has finished."""
        self._counter.begin(total=total, done=done)
        if 0 < done < total:
            self._console.print(
                f"resuming {folder}: {done} of {total} items are done", markup=False
            )

    def plan(self, plan: Plan, finished: Iterable[Record]) -> None:
        """Take the tasks and what they have already."""
        self._counter.plan(plan, finished)

    def starting(self, backend: str) -> AbstractContextManager[object]:
        """Show a status line while the engine starts."""
        text = f"starting {backend}, decoding videos meanwhile"
        if self._notebook is not None:
            self._notebook.show(text)
            return nullcontext()
        return self._console.status(text)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Show the progress until the block ends; then leave its last state."""
        self._counter.start()
        if self._notebook is None and self._console.is_terminal:
            from rich.live import Live

            with Live(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=_FRAMES_PER_S,
                vertical_overflow="visible",
            ):
                yield
            return
        tick = self._print_line if self._notebook is None else self._show_lines
        every_s = self._every_s if self._notebook is None else _NOTEBOOK_EVERY_S
        try:
            with _repeating(tick, every_s):
                yield
        finally:
            self._end()

    def asked(self) -> None:
        """Count a question that the engine has taken."""
        self._counter.asked()

    def record(self, record: Record) -> None:
        """Count one finished item."""
        self._counter.add(record)

    def of_run(self, run: str) -> RunObserver:
        """Return what counts the tasks of one of several runs by themselves."""
        return _RunOfSeveral(self._counter, run) if run else self

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        """Keep how the replicas stand."""
        self._counter.replicas(states)

    @property
    def last_replicas(self) -> tuple[ReplicaState, ...]:
        """How the replicas stood last; empty where there are none."""
        return self._counter.now().replicas

    def warn(self, message: str) -> None:
        """Print a warning."""
        self._console.print(message, style="yellow", markup=False)

    def _draw(self) -> RenderableType:
        return table(self._counter.now(), height=self._console.height)

    def _print_line(self) -> None:
        self._print(one_line(self._counter.now()))

    def _show_lines(self) -> None:
        assert self._notebook is not None
        self._notebook.show(plain_lines(self._counter.now()))

    def _end(self) -> None:
        if self._notebook is None:
            self._print(one_line(self._counter.now(), ended=True))
        else:
            self._show_lines()

    def _print(self, line: str) -> None:
        # A log has no width at which a line would have to be broken.
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _RunOfSeveral(RunObserver):
    """Counts the tasks and records of one of the runs that share an engine."""

    def __init__(self, counter: RunCounter, run: str) -> None:
        self._counter = counter
        self._run = run

    def plan(self, plan: Plan, finished: Iterable[Record]) -> None:
        """Take the tasks and what they have already."""
        self._counter.plan(plan, finished, self._run)

    def record(self, record: Record) -> None:
        """Count one finished item."""
        self._counter.add(record, self._run)


@contextmanager
def _repeating(tick: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call a function at intervals from a thread of its own while the block runs."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            with suppress(OSError, ValueError):  # the log was closed; the run goes on
                tick()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class NotebookLine:
    """Text of a notebook cell's output, replaced by each new text.

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
