"""Reads protocol files: TOML files that change a preset, for all tasks or for one.

```toml
extends = "video-r1"        # a preset, or another protocol file beside this one

[sampling]
temperature = 0.6

[tasks.vsibench]
scorer = "official"
```

A field under ``[tasks.NAME]`` holds for that task only and wins over the same field above it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any, get_type_hints

from harness.config import EXTENDS, build, merged, read_toml
from harness.errors import UsageError, did_you_mean
from harness.run.store import MANIFEST, is_run, read_manifest
from harness.schema import FramePolicy, Sampling
from harness.task import registry
from harness.task.protocol import PRESETS, Protocol, keep_numbers

_FIXED = ("suite", "task")
"""Fields of a protocol that follow from preset and task."""
TASKS = "tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolFile:
    """A preset and what changes it, in JSON types."""

    preset: str
    place: str = ""
    """The file, for messages."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """New values by field name, for every task."""
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """New values for single tasks, by task name."""
    closed: bool = False
    """It says nothing of other tasks: it is the protocol of a run."""

    def changes_of(self, task: str) -> dict[str, Any]:
        """Return the new values for a task; raises `UsageError` where there can be none."""
        if self.closed and task not in self.tasks:
            raise UsageError(
                f"{self.place}: the run did not ask {task}, only {', '.join(self.tasks)}; write its"
                " protocol into a file (`videor1 protocol RUN -o FILE.toml`) and add the task"
            )
        return merged(self.changes, self.tasks.get(task, {}))


def find_protocol(name: str, local: Collection[str] = ()) -> ProtocolFile:
    """Read what ``--protocol`` names: a preset, a protocol file, or a run directory.

    Args:
        name: The preset, or the path.
        local: Names of tasks that are not installed, which a file may have tables of.

    Raises:
        UsageError: There is no such preset or file, or the file is malformed; names file, key,
            expected and got.
    """
    if name in PRESETS:
        return ProtocolFile(preset=name)
    path = Path(name).expanduser()
    if path.suffix == ".toml":
        return read_protocol_file(path, local)
    if is_run(path):
        return _protocol_of_run(path)
    raise UsageError(
        f"unknown protocol {name!r:.80}; expected {', '.join(PRESETS)}, a file FILE.toml, or a run"
        f" directory{did_you_mean(name, PRESETS)}"
    )


def read_protocol_file(path: Path, local: Collection[str] = ()) -> ProtocolFile:
    """Read a protocol file.

    Raises:
        UsageError: It cannot be read, has an unknown key, or a value of another type.
    """
    content = read_toml(path, presets=PRESETS)
    if EXTENDS not in content:
        raise UsageError(
            f"{path}: key {EXTENDS!r} is missing; expected {', '.join(PRESETS)}, or FILE.toml"
        )
    return _checked(content, str(path), local)


def stored_protocols(folder: Path) -> dict[str, Protocol]:
    """Return the protocols of a run directory, by task name.

    Raises:
        UsageError: It is not a run directory, or a protocol in it lacks a field.
    """
    where = str(folder / MANIFEST)
    found: dict[str, Protocol] = {}
    for task, stored in read_manifest(folder)["protocol"].items():
        content = {name: value for name, value in stored.items() if name != "hash"}
        protocol = build(Protocol, content, f"{where}, protocol of {task}")
        found[task] = keep_numbers(protocol, content)
    return found


def _protocol_of_run(folder: Path) -> ProtocolFile:
    protocols = stored_protocols(folder)
    suites = {protocol.suite for protocol in protocols.values()}
    if len(suites) != 1 or not suites <= set(PRESETS):
        raise UsageError(
            f"{folder}: its answers were generated elsewhere (suite {', '.join(sorted(suites))}),"
            " so it has no protocol to ask with"
        )
    tables = {task: changeable_fields(protocol) for task, protocol in protocols.items()}
    return ProtocolFile(
        preset=suites.pop(), place=str(folder / MANIFEST), tasks=tables, closed=True
    )


def _checked(content: Mapping[str, Any], place: str, local: Collection[str]) -> ProtocolFile:
    build(_file_shape(), content, place)
    for task in content.get(TASKS, {}):
        if task not in local:
            _require_task(task, place)
    changes = {name: value for name, value in content.items() if name not in (EXTENDS, TASKS)}
    return ProtocolFile(
        preset=content[EXTENDS], place=place, changes=changes, tasks=content.get(TASKS, {})
    )


def _require_task(name: str, place: str) -> None:
    """Raise `UsageError` for a task that is not installed; another harness's are not looked up."""
    known = sorted(registry.installed())
    if name not in known and registry.bridge_of(name) is None:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"{place}: tasks.{name}: unknown task; {meant}installed: {', '.join(known)}"
        )


@cache
def _file_shape() -> type:
    """Return a dataclass of what a protocol file may hold; every field but `extends` is optional.

    Bounds are checked when the changes are applied, because they may depend on the preset.
    """
    task = _optional_fields(Protocol, "TaskChanges")
    described = [(name, hint, None) for name, hint in get_type_hints(task).items()]
    by_task: Any = GenericAlias(Mapping, (str, task))
    tasks: Any = (TASKS, by_task, field(default_factory=dict))
    return make_dataclass("ProtocolChanges", [(EXTENDS, str), *described, tasks], kw_only=True)


def _optional_fields(kind: Any, name: str) -> type:
    """Return a dataclass with the changeable fields of another one, each of which may be absent."""
    nested = {"frames": FramePolicy, "sampling": Sampling}
    hints = get_type_hints(kind)
    described: list[Any] = []
    for one in fields(kind):
        if one.name in _FIXED and kind is Protocol:
            continue
        hint = hints[one.name]
        if kind is Protocol and one.name in nested:
            hint = _optional_fields(nested[one.name], one.name.title())
        described.append((one.name, hint | None, None))
    return make_dataclass(name, described, kw_only=True)


def changeable_fields(protocol: Protocol) -> dict[str, Any]:
    """Return what a file can say of a protocol; what is None or empty is the presets' default."""
    content = _plain(protocol)
    return {
        name: value
        for name, value in content.items()
        if name not in _FIXED and value is not None and value != {}
    }


def _plain(settings: Any) -> Any:
    if is_dataclass(settings):
        return {one.name: _plain(getattr(settings, one.name)) for one in fields(settings)}
    if isinstance(settings, Mapping):
        return {name: _plain(value) for name, value in settings.items()}
    return list(settings) if isinstance(settings, tuple) else settings
