"""Write JSON Lines files in which every line has a ``step``; a resumed run goes on with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.files import JsonLinesWriter, read_json_lines, write_json_lines
from trainer.runs.folder import METRICS


class StepLines:
    """A JSON Lines file in which every line has a ``step``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep_until(self, step: int) -> None:
        """Remove the lines of later steps, which a resumed run repeats, and an incomplete line."""
        if self._path.exists():
            lines = (line for _, line in read_json_lines(self._path))
            write_json_lines(self._path, (line for line in lines if line["step"] <= step))

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines in one write."""
        with JsonLinesWriter(self._path) as file:
            file.append(*lines)


def read_metrics(run: Path) -> list[Mapping[str, Any]]:
    """Return the lines of a run's ``metrics.jsonl``; none where it has no such file."""
    path = run / METRICS
    return [line for _, line in read_json_lines(path)] if path.is_file() else []


def without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with None for numbers that are not finite, which JSON cannot hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
