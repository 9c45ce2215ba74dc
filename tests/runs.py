"""Finished runs of installed tasks, written as `videor1 eval` writes them, for gates and such."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.schema import Outcome, Record
from tests.toys import record

Values = Mapping[str, Sequence[float | None]]


def make_manifest(values: Values, *, model: str = "model", frames: int = 16) -> dict[str, Any]:
    """Return the ``run.json`` of a run that was asked for as many items as there are values."""
    return {
        "protocol": {task: {"task": f"{task}@1", "frames": {"max": frames}} for task in values},
        "data": {task: {"items": len(items), "sha256": "f00d"} for task, items in values.items()},
        "checkpoint": {"weights": model},
    }


def make_records(values: Values, *, per_video: int = 2) -> list[Record]:
    """Return one record per value, items of a video next to each other."""
    return [
        replace(
            record(number, value, Outcome.CORRECT if value else Outcome.WRONG),
            id=f"{task}/{number}",
            task=task,
            cluster=f"{task} {number // per_video}",
            category="object_counting",
            scorer="official@1",
            answer="A" if value else "B",
        )
        for task, items in values.items()
        for number, value in enumerate(items)
    ]


def write_run(folder: Path, manifest: Mapping[str, Any], records: Sequence[Record]) -> Path:
    """Write a run directory and return it."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(manifest))
    lines = "".join(json.dumps(asdict(record)) + "\n" for record in records)
    (folder / "records-0.jsonl").write_text(lines)
    return folder
