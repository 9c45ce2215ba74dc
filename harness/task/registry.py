"""Finds tasks by name through entry points.

Our benchmarks and those of other packages are declared in the group ``videor1.tasks``, bridges to
another harness's tasks in ``videor1.bridges``.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

from harness.errors import UsageError, did_you_mean
from harness.plugins import discover
from harness.task.api import Aggregation, Bridge, Scorer, Task
from harness.task.suites import SUITES

ENTRY_POINT_GROUP = "videor1.tasks"
BRIDGES = "videor1.bridges"


def data_folder(task: Task, data: Path) -> Path:
    """Return the folder of a task under the data root."""
    return data / (task.name if task.source is None else task.source.folder)


def installed() -> dict[str, EntryPoint]:
    """Map the names of installed tasks to their entry points; nothing is imported."""
    return discover(ENTRY_POINT_GROUP)


def bridges() -> dict[str, EntryPoint]:
    """Map the prefixes of installed bridges to their entry points."""
    return discover(BRIDGES)


def bridge_of(name: str) -> Bridge | None:
    """Return the bridge whose prefix a name has; None for a name without one."""
    prefix, colon, _ = name.partition(":")
    point = bridges().get(prefix) if colon else None
    if point is None:
        return None
    found: Bridge = point.load()()
    return found


def bridged_scorers(task: str, aggregation: Aggregation) -> list[Scorer]:
    """Return the scorers that bridges offer for one of our tasks, by the task's name."""
    offered = (point.load()().scorer(task, aggregation) for point in bridges().values())
    return [scorer for scorer in offered if scorer is not None]


def name_of(selection: str) -> str:
    """Return the task's name in ``name:config``; a bridge's ``prefix:name`` has no config."""
    return selection if bridge_of(selection) else selection.partition(":")[0]


def config_of(selection: str) -> str:
    """Return the config in ``name:config``; empty without one."""
    return "" if bridge_of(selection) else selection.partition(":")[2]


def get(name: str, include_path: Path | None = None) -> Task:
    """Load one task by name; raises `UsageError` with the known names for an unknown one."""
    bridge = bridge_of(name)
    if bridge:
        return bridge.task(name.partition(":")[2], include_path)
    found = installed()
    if name not in found:
        others = "".join(f"; {prefix}:NAME for those of {prefix}" for prefix in bridges())
        near = did_you_mean(name, (*found, *SUITES), shown="{!r}")
        raise UsageError(
            f"unknown task {name!r:.80}; known tasks: {', '.join(sorted(found))}{others}{near}"
        )
    task: Task = found[name].load()()
    return task
