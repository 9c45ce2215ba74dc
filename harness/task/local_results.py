"""Keeps with a run what it takes to read its results without the file of a local benchmark.

Installed benchmarks are found by name. One that a file defines is not, and its Python file is never
run because a run directory names it; so ``run.json`` says, under ``local_tasks``, how its items are
averaged, what its protocols are unchanged, and what its title is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from harness.scoring.tags import task_of_column
from harness.task.api import Aggregation, FromFile, Task
from harness.task.protocol import PRESETS, complete

LOCAL_TASKS = "local_tasks"
"""Key in ``run.json``."""


def describe_local(task: Task, categories: Iterable[str]) -> dict[str, Any] | None:
    """Return what a run keeps of a task that a file defines; None for an installed one."""
    if not isinstance(task, FromFile):
        return None
    found = sorted(set(categories))
    return {
        "file": str(task.own_file.absolute()),
        "title": task.title,
        "presets": {suite: asdict(task.protocol(suite)) for suite in PRESETS},
        "aggregations": {
            scorer.tag: {
                "name": scorer.aggregation.name,
                "levels": _levels(scorer.aggregation, found),
            }
            for scorer in task.scorers.values()
        },
    }


def local_of(manifest: Mapping[str, Any], column: str) -> Mapping[str, Any] | None:
    """Return what a run keeps of a local task; None for others and for runs of before.

    Args:
        manifest: The ``run.json``, or the part of it that has the key ``local_tasks``.
        column: The task, or a column made of it such as its temporal gain.
    """
    found = (manifest.get(LOCAL_TASKS) or {}).get(task_of_column(column))
    return found if isinstance(found, Mapping) else None


def local_preset(manifest: Mapping[str, Any], column: str, suite: str) -> dict[str, Any] | None:
    """Return a preset of a local task as ``run.json`` has it; None where the run has none."""
    found = (local_of(manifest, column) or {}).get("presets", {}).get(suite)
    return None if found is None else complete(found)


def local_aggregation(manifest: Mapping[str, Any], column: str, tag: str) -> Aggregation | None:
    """Return how a local task's items are averaged by a scorer; None where the run has none."""
    found = local_of(manifest, column)
    stored = None if found is None else found.get("aggregations", {}).get(tag)
    if stored is None:
        return None
    return _make_aggregation(json.dumps(stored, sort_keys=True))


def _levels(means: Aggregation, categories: Iterable[str]) -> dict[str, list[str]] | None:
    """Return the path of every category; None where all are empty, the mean over items."""
    levels = {one: list(means.levels(one)) for one in categories}
    return levels if any(levels.values()) else None


@cache
def _make_aggregation(stored: str) -> Aggregation:
    """Return the aggregation that a text describes; the same object for the same text."""
    content = json.loads(stored)
    if content["levels"] is None:
        return Aggregation(name=content["name"], levels=lambda category: ())
    levels = {category: tuple(path) for category, path in content["levels"].items()}
    return Aggregation(name=content["name"], levels=levels.__getitem__)
