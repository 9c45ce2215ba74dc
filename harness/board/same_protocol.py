"""Tells whether two runs were made under one protocol, also where they hold different tasks.

Protocols of two benchmarks are never equal: each has prompts, frames and a scorer of its own. They
are one protocol where both are the same preset with the same changes, or where all is equal that
does not belong to a benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from harness.board.entry import Entry
from harness.scoring.tags import task_of_column
from harness.task import registry
from harness.task.local_results import LOCAL_TASKS, local_preset
from harness.task.protocol import PRESETS, complete

_FREE = ("hash", "repeats")
"""The hash differs wherever another field does. Runs of more or fewer repeats measure the same,
more or less exactly."""
_OF_TASK = (*_FREE, "task", "template", "scorer")
"""Fields whose values belong to a benchmark."""


def protocol_fields(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a stored protocol that have to be equal in two runs of a task."""
    return {name: value for name, value in protocol.items() if name not in _FREE}


def same_protocol(one: Entry, other: Entry) -> bool:
    """Return whether two runs were made under one protocol.

    Tasks that both have must have equal protocols; where they share none, their presets and the
    changes of them decide.
    """
    shared = [task for task in one.settings if task in other.settings]
    if shared:
        return all(
            protocol_fields(one.settings[task]["protocol"])
            == protocol_fields(other.settings[task]["protocol"])
            for task in shared
        )
    return bool(_changes(one) & _changes(other) or _common(one) & _common(other))


def _changes(entry: Entry) -> set[str]:
    """Return, for each task, its preset and what differs from it, as JSON."""
    found = set()
    for column, setting in entry.settings.items():
        protocol = setting["protocol"]
        task, suite = task_of_column(column), str(protocol.get("suite"))
        preset = local_preset({LOCAL_TASKS: entry.local}, task, suite) or _preset(task, suite)
        if preset is not None:
            changed = _changed(protocol, preset)
            found.add(json.dumps([protocol["suite"], changed], sort_keys=True))
    return found


def _changed(protocol: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a protocol, and of the tables in it, that its preset has otherwise."""
    changed: dict[str, Any] = {}
    for name, value in protocol.items():
        usual = preset.get(name)
        if name in _FREE or name == "task" or value == usual:
            continue
        if isinstance(value, Mapping) and isinstance(usual, Mapping):
            changed[name] = _changed(value, usual)
        else:
            changed[name] = value
    return changed


def _common(entry: Entry) -> set[str]:
    """Return, for each task, all that does not belong to the task, as JSON."""
    return {
        json.dumps(
            {name: v for name, v in setting["protocol"].items() if name not in _OF_TASK},
            sort_keys=True,
        )
        for setting in entry.settings.values()
    }


@cache
def _preset(task: str, suite: str) -> Mapping[str, Any] | None:
    """Return a preset of an installed task as ``run.json`` has it; None where there is none."""
    if suite not in PRESETS or task not in registry.installed():
        return None
    return complete(json.loads(json.dumps(asdict(registry.get(task).protocol(suite)))))
