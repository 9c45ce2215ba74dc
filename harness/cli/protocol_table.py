"""The protocols of a run as one table: every field, and where it differs from the preset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.run.plan import PlannedTask
from harness.task.protocol import Protocol

if TYPE_CHECKING:
    from rich.table import Table

_LONGEST = 60
"""Characters of a value that are shown."""

Fields = Mapping[str, str]


def protocol_table(tasks: Sequence[PlannedTask]) -> Table:
    """Return a table of the tasks' protocols; tasks that share a value share a line.

    The names of the fields are those of protocol files and of messages about differences.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.text.shown import one_line

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("protocol", no_wrap=True)
    table.add_column("value", overflow="fold", min_width=18)
    table.add_column("preset", overflow="fold", style="dim")
    table.add_column("tasks", overflow="fold", style="dim")
    for field, value, preset, names in _lines(tasks):
        changed = preset != value
        table.add_row(
            field,
            Text(one_line(value), style="bold yellow" if changed else ""),
            Text(one_line(preset) if changed else ""),
            "" if len(names) == len(tasks) else ", ".join(names),
        )
    return table


def _lines(tasks: Sequence[PlannedTask]) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield field, value, the preset's value, and the tasks that have both."""
    ours = {one.task.name: _flat(one.protocol) for one in tasks}
    presets = {one.task.name: _flat(one.task.protocol(one.protocol.suite)) for one in tasks}
    fields = dict.fromkeys(field for flat in (*ours.values(), *presets.values()) for field in flat)
    for field in fields:
        groups: dict[tuple[str, str], list[str]] = {}
        for task, flat in ours.items():
            values = flat.get(field, "-"), presets[task].get(field, "-")
            groups.setdefault(values, []).append(task)
        for (value, preset), names in groups.items():
            yield field, value, preset, names


def _flat(protocol: Protocol) -> Fields:
    return {"hash": protocol.hash, **dict(_leaves(asdict(protocol)))}


def _leaves(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _format(value)


def _format(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = {"null": "-"}.get(text, text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
