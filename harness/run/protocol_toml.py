"""Writes protocols as a protocol file, from which they can be resolved again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.config import EXTENDS
from harness.errors import UsageError
from harness.files import write_text
from harness.run.protocol_files import TASKS, changeable_fields
from harness.task.protocol import PRESETS, Protocol


def protocol_toml(protocols: Mapping[str, Protocol], heading: str) -> str:
    """Return the text of a protocol file from which these protocols can be resolved again.

    Every field is written, so that a later version of a preset changes nothing. What all tasks
    share stands at the top, the rest under ``[tasks.NAME]``.

    Args:
        protocols: Protocols by task name, all of one suite.
        heading: What the file holds, for a comment in its first line.

    Raises:
        UsageError: They are of several suites, or of stored texts, which nobody can ask again.
    """
    suites = sorted({protocol.suite for protocol in protocols.values()})
    if len(suites) != 1 or suites[0] not in PRESETS:
        raise UsageError(
            f"{heading}: expected protocols of one preset ({' or '.join(PRESETS)}), got"
            f" {', '.join(suites) or 'none'}"
        )
    tables = {task: changeable_fields(protocol) for task, protocol in protocols.items()}
    shared = _shared(list(tables.values()))
    own = {task: _without(table, shared) for task, table in tables.items()}
    hashes = ", ".join(f"{task} {protocol.hash}" for task, protocol in protocols.items())
    comment = [f"# {line}" for line in (*heading.splitlines(), f"hashes: {hashes}")]
    head = [f"{EXTENDS} = {_toml_value(suites[0])}"]
    rest = _toml_lines({**shared, TASKS: {task: table for task, table in own.items() if table}})
    return "\n".join([*comment, *head, *rest, ""])


def write_protocol_file(path: Path, protocols: Mapping[str, Protocol], heading: str) -> None:
    """Write a protocol file; raises as `protocol_toml` does."""
    write_text(path, protocol_toml(protocols, heading))


def _shared(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields that all tables have with the same value."""
    first, *others = tables
    shared: dict[str, Any] = {}
    for name, value in first.items():
        values = [other.get(name) for other in others]
        if isinstance(value, Mapping) and all(isinstance(one, Mapping) for one in values):
            inner = _shared([value, *values])  # type: ignore[list-item]
            shared |= {name: inner} if inner else {}
        elif all(one == value and type(one) is type(value) for one in values):
            shared[name] = value
    return shared


def _without(table: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a table that are not among the shared ones."""
    left: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            inner = _without(value, shared.get(name, {}))
            left |= {name: inner} if inner else {}
        elif name not in shared:
            left[name] = value
    return left


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the lines of a table: its values, then its tables."""
    tables = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    values = {name: value for name, value in table.items() if name not in tables}
    if path and values:
        yield ""
        yield f"[{'.'.join(map(_toml_key, path))}]"
    for name, value in values.items():
        yield f"{_toml_key(name)} = {_toml_value(value)}"
    for name, inner in tables.items():
        yield from _toml_lines(inner, (*path, name))


def _toml_key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _toml_value(name)


def _toml_value(value: Any) -> str:
    """Write a text, number, boolean or list: TOML writes these as JSON does, but for one escape."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
