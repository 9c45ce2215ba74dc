"""Which checkpoints of a training run are there, whole.

A checkpoint is written file by file. It is whole when the Trainer's state, which is written last,
is there and names its step, and when every weight file is as long as its own header says: a folder
that is copied from elsewhere may have the state before the weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CheckpointError
from harness.models.weights import ADAPTER_CONFIG, expected_bytes, hash_weights, weight_files

STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One whole checkpoint."""

    step: int
    folder: Path
    max_steps: int
    """Steps that the run is going to have."""
    save_steps: int
    """Steps between two checkpoints."""


def saved_checkpoints(run: Path) -> list[Saved]:
    """Return the whole checkpoints of a run, by step."""
    found = [saved for folder in _folders(run) if isinstance(saved := look_at(folder), Saved)]
    return sorted(found, key=lambda saved: saved.step)


def newest_checkpoint(run: Path) -> Path | None:
    """Return the folder of the last whole checkpoint, None before there is one."""
    saved = saved_checkpoints(run)
    return saved[-1].folder if saved else None


def unfinished_checkpoints(run: Path) -> dict[Path, str]:
    """Map the checkpoint folders that are not whole to what they lack."""
    return {folder: lack for folder in _folders(run) if isinstance(lack := look_at(folder), str)}


def look_at(folder: Path) -> Saved | str:
    """Return a checkpoint, or what it still lacks."""
    step = int(folder.name.partition("-")[2])
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        found = Saved(
            step=step,
            folder=folder,
            max_steps=int(state["max_steps"]),
            save_steps=int(state["save_steps"]),
        )
        if state["global_step"] != step:
            return f"{STATE} is of step {state['global_step']}"
        return next(_lacking(folder), found)
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (CheckpointError, OSError, ValueError, KeyError, TypeError) as error:
        return f"not readable yet: {error}"


def weights_of(folder: Path) -> str:
    """Hash what tells the weights in a folder from any others."""
    return hash_weights(weight_files(folder))


def _folders(run: Path) -> Iterable[Path]:
    return [p for p in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", p.name)]


def _lacking(folder: Path) -> Iterator[str]:
    files = weight_files(folder)
    if not files:
        yield "no weights"
    for path in files:
        size, promised = path.stat().st_size, expected_bytes(path)
        if size < promised:
            yield f"{path.name} has {size:,} of {promised:,} bytes"
    if not (folder / ADAPTER_CONFIG).exists() and not (folder / "config.json").exists():
        yield "config.json is missing"
