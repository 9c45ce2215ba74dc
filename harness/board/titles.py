"""Returns the display names of tasks, for headings."""

from __future__ import annotations

from harness.scoring.tags import task_of_column
from harness.task import registry


def title_of(column: str) -> str:
    """Return a task's title, ``VSI-Bench`` for ``vsibench``, with the scorer that a column names.

    A task that is not installed here, or that a bridge offers, keeps its name.
    """
    task = task_of_column(column)
    if registry.bridge_of(task) or task not in registry.installed():
        return column
    return f"{registry.get(task).title}{column.removeprefix(task)}"
