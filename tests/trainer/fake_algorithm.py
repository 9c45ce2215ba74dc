"""An algorithm that trains nothing and writes down what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.models.checkpoint import Checkpoint
from tests.trainer.fake_runs import save
from trainer.data.rows import TrainingRow

CALLS: list[dict[str, Any]] = []


def train(
    recipe: Any,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    CALLS.append({"checkpoint": checkpoint, "rows": [row.sample.id for row in rows]})
    save(out, 10)
