"""Writes small runs of installed benchmarks, as `videor1 eval` does, for tests of boards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.schema import Outcome
from harness.task import registry
from tests.toys import record

CATEGORY = {"mvbench": "action_count", "vsibench": "object_counting", "tempcompass": "yes_no/order"}
"""One category per benchmark, so that a score is the plain mean of its items."""


def write_task_runs(
    folder: Path,
    model: str,
    tasks: Mapping[str, Sequence[float]],
    *,
    suite: str = "video-r1",
    changes: Mapping[str, Any] | None = None,
    per_video: int = 1,
    **manifest: Any,
) -> Path:
    """Write a run with the given value of each item of each task; returns its folder.

    Args:
        folder: The run directory.
        model: Name of model and checkpoint.
        tasks: Item values by task.
        suite: Preset of the protocols.
        changes: Changed fields of the frames of every protocol.
        per_video: Items of one video.
        manifest: Further fields of ``run.json``.
    """
    protocols = {name: _protocol(name, suite, changes or {}) for name in tasks}
    fields = {
        "schema": 2,
        "model": model,
        "checkpoint": {"weights": model},
        "backend": "vllm",
        "protocol_hash": "cccccccccccc",
        "created": "2026-01-01T00:00:00+00:00",
        "tasks": list(tasks),
        "protocol": protocols,
        "data": {name: {"items": len(items), "sha256": "d"} for name, items in tasks.items()},
        "limit": None,
    }
    records = [
        replace(
            record(number, value, Outcome.CORRECT if value else Outcome.WRONG),
            id=f"{name}/{number}",
            task=name,
            cluster=f"{name} {number // per_video}",
            category=CATEGORY[name],
        )
        for name, items in tasks.items()
        for number, value in enumerate(items)
    ]
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({**fields, **manifest}))
    lines = "".join(json.dumps(asdict(one)) + "\n" for one in records)
    (folder / "records-0.jsonl").write_text(lines)
    return folder


def _protocol(name: str, suite: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    preset = registry.get(name).protocol(suite)
    assert preset.frames is not None
    changed = replace(preset, frames=replace(preset.frames, **changes))
    return {**asdict(changed), "hash": changed.hash}
