"""Writes the state of a run as one line, and as a table of at most 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from harness.run.replica_text import replica_lines, replica_table, replicas_clause
from harness.run.running import RunProgress, TaskProgress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_BAR = 24
_FRAME_LINES = 6
"""Lines of a terminal that are not for tasks: heading, whole run, speed, and what was before."""


def one_line(run: RunProgress, *, ended: bool = False) -> str:
    """Return the state as one line for a log."""
    counts = f"{run.done} of {run.total} {run.unit}, {run.failed} failed"
    if run.videos:
        counts += f", {run.videos_done} of {run.videos} videos"
    line = f"{counts}, {speed_text(run)}"
    line += (
        f", took {_duration(run.elapsed_s)}"
        if ended
        else f", {run.in_flight} in flight, left {left_text(run)}"
    )
    replicas = [replicas_clause(run.replicas)] if run.replicas else []
    scores = [f"{task.name} {score_text(task)}" for task in run.tasks if task.score is not None]
    return "; ".join([line, *replicas, *scores])


def speed_text(run: RunProgress) -> str:
    """Return items per second, and tokens per second where the engine counts them."""
    tokens = f", {run.tokens_per_s:,.0f} tokens/s" if run.tokens_per_s else ""
    rate, unit = run.items_per_s, f"{run.unit}/s"
    if rate < 0.1:
        rate, unit = 60 * rate, f"{run.unit}/min"
    return f"{rate:.1f} {unit}{tokens}"


def left_text(run: RunProgress) -> str:
    """Return the time that is left as ``0:21:10``."""
    return "-" if run.left_s is None else _duration(run.left_s)


def score_text(task: TaskProgress) -> str:
    """Return ``45.1 [42.0, 48.2]``."""
    if task.score is None:
        return "-"
    interval = "" if task.ci95 is None else f" [{task.ci95[0]:.1f}, {task.ci95[1]:.1f}]"
    return f"{task.score:.1f}{interval}"


def table(run: RunProgress, *, height: int) -> RenderableType:
    """Return what a terminal shows: the tasks that fit, then the whole run.

    Args:
        run: The state.
        height: Lines of the terminal.
    """
    from rich.console import Group
    from rich.text import Text

    rows = min(len(run.replicas), max(0, (height - _FRAME_LINES) // 2))
    lines_left = height - _FRAME_LINES - (rows + 2 if rows else 0)
    shown = choose_tasks(run.tasks, max(1, lines_left))
    hidden = len(run.tasks) - len(shown)
    filled = round(_BAR * run.done / run.total) if run.total else 0
    whole = Text.assemble(
        ("━" * filled, "cyan"), ("─" * (_BAR - filled), "dim"),
        f" {run.done} of {run.total} {run.unit}, left ", (left_text(run), "bold"),
        (f", {run.failed} failed" if run.failed else "", "red"),
    )  # fmt: skip
    detail = f"{speed_text(run)}, {run.in_flight} in flight, {_duration(run.elapsed_s)} so far"
    more = [Text(f"and {hidden} more tasks", style="dim")] if hidden > 0 else []
    tasks = [_task_table(shown)] if shown else []
    replicas: list[RenderableType] = []
    if run.replicas:
        replicas.append(Text(replicas_clause(run.replicas), style="dim"))
    if rows:
        replicas.insert(0, replica_table(run.replicas, rows))
    return Group(*tasks, *more, *replicas, whole, Text(detail, style="dim"))


def choose_tasks(tasks: Sequence[TaskProgress], count: int) -> list[TaskProgress]:
    """Return at most `count` tasks in their order: those in progress, then open, then finished."""

    def rank(task: TaskProgress) -> int:
        return 0 if 0 < task.done < task.total else 1 if not task.done else 2

    kept = sorted(range(len(tasks)), key=lambda at: rank(tasks[at]))[:count]
    return [tasks[at] for at in sorted(kept)]


def plain_lines(run: RunProgress) -> str:
    """Return the state as lines of text, for a notebook."""
    head = one_line(run).partition("; ")[0]
    return "\n".join(
        [
            head,
            *(
                f"  {task.name}: {task.done} of {task.total}, {task.videos_done} of {task.videos}"
                f" videos, score {score_text(task)}"
                for task in run.tasks
            ),
            *replica_lines(run.replicas),
        ]
    )


def _task_table(tasks: Sequence[TaskProgress]) -> Table:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    drawn.add_column("task", overflow="fold", min_width=10)
    for heading in ("items", "videos", "score so far", "failed"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for task in tasks:
        drawn.add_row(
            Text(task.name),
            f"{task.done}/{task.total}",
            f"{task.videos_done}/{task.videos}",
            score_text(task),
            Text(str(task.failed), style="red" if task.failed else "dim"),
        )
    return drawn


def _duration(seconds: float) -> str:
    """Return ``0:21:10``; a hundred days and more are as good as no estimate."""
    return str(timedelta(seconds=round(seconds))) if seconds < 100 * 86400 else "-"
