"""What a training run writes down as it goes: metrics as JSON Lines, failures by name."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from trainer.loops.inputs import PromptInputs
from trainer.run import METRICS

_log = logging.getLogger(__name__)


class StepLines:
    """A JSON Lines file whose every line belongs to a step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep_until(self, step: int) -> None:
        """Drop the lines of steps that a resumed run is going to repeat, and a torn last line."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        kept = [line for line in whole if json.loads(line)["step"] <= step]
        self._path.write_bytes(b"".join(kept))

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines in one write."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Appends one line per log to ``metrics.jsonl``: the step and every number logged with it."""

    def __init__(self, out: Path) -> None:
        self._lines = StepLines(out / METRICS)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the lines up to the step that training continues from."""
        if state.is_world_process_zero:
            self._lines.keep_until(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Append what was logged."""
        if state.is_world_process_zero and logs:
            self._lines.append([{"step": state.global_step, **logs}])


def warn_of_failures(rows: Iterable[PromptInputs]) -> None:
    """Name the rows that could not be shown, each once."""
    for name, failure in {row.id: row.failure for row in rows}.items():
        if failure is not None:
            _log.warning("row %s is left out of this step: %s", name, failure.message)
