"""Finds tasks: installed ones by name through entry points, local ones by their file.

Our benchmarks and those of other packages are declared in the group ``videor1.tasks``, bridges to
another harness's tasks in ``videor1.bridges``, what makes a task of a file in
``videor1.task_files``.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

from harness.errors import UsageError, did_you_mean
from harness.files import open_file
from harness.plugins import discover
from harness.task.api import Aggregation, Bridge, OwnFolder, Scorer, Task
from harness.task.selection import TASK_FILES, FileSelection, file_of, known_suffixes
from harness.task.suites import SUITES

ENTRY_POINT_GROUP = "videor1.tasks"
BRIDGES = "videor1.bridges"


def data_folder(task: Task, data: Path) -> Path:
    """Return the folder of a task under the data root; a table of questions has its own."""
    if isinstance(task, OwnFolder):
        return task.own_folder
    return data / (task.name if task.source is None else task.source.folder)


def needs_data_root(task: Task) -> bool:
    """Return whether the data of a task lie in a folder under the data root."""
    return not isinstance(task, OwnFolder)


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
    """Return the config in ``name:config`` or ``FILE:config``; empty without one."""
    if bridge_of(selection):
        return ""
    file = file_of(selection)
    return selection.partition(":")[2] if file is None else file.config


def find(selection: str, include_path: Path | None = None) -> Task:
    """Return the task of ``name``, ``name:config``, a bridge's ``prefix:name`` or a file.

    Raises:
        UsageError: The name is unknown, or the file defines no task; says why.
    """
    file = None if bridge_of(selection) else file_of(selection)
    return get(name_of(selection), include_path) if file is None else _load_file(file)


def _load_file(file: FileSelection) -> Task:
    if file.path.exists():
        open_file(file.path).close()  # a folder or a pipe is told as such
    else:
        beside = {str(one) for one in file.path.parent.glob(f"*{file.path.suffix}")}
        near = did_you_mean(str(file.path), beside - {str(file.path)})
        raise UsageError(f"{file.path}: no such file{near}")
    load = discover(TASK_FILES)[file.suffix].load()
    task: Task = load(file.path)
    taken = {"suite": SUITES, "benchmark": installed(), "bridge": bridges()}
    for what, names in taken.items():
        if task.name in names:
            raise UsageError(
                f"{file.path}: the name {task.name!r} belongs to an installed {what}; rename the"
                " file (or the `name` in it), so that results are told apart"
            )
    if file_of(task.name):
        raise UsageError(
            f"{file.path}: the name {task.name!r} is that of a file; rename the file (or the `name`"
            " in it)"
        )
    return task


def get(name: str, include_path: Path | None = None) -> Task:
    """Load one task by name; raises `UsageError` with the known names for an unknown one."""
    bridge = bridge_of(name)
    if bridge:
        return bridge.task(name.partition(":")[2], include_path)
    found = installed()
    if name not in found:
        if "/" in name or Path(name).is_file():
            raise UsageError(
                f"{name!r:.200}: a file with a benchmark ends in {known_suffixes()};"
                " docs/own_benchmark.md shows one"
            )
        others = "".join(f"; {prefix}:NAME for those of {prefix}" for prefix in bridges())
        near = did_you_mean(name, (*found, *SUITES, *bridges()), shown="{!r}")
        raise UsageError(
            f"unknown task {name!r:.80}; known tasks: {', '.join(sorted(found))}{others}{near}"
        )
    task: Task = found[name].load()()
    return task
