"""Lists the complete and incomplete checkpoints of a training run.

A checkpoint is written file by file. It is complete when the Trainer's state, which is written
last, exists and names its step, and when every weight file has the length that its header says: in
a folder that is being copied the state may arrive before the weights.
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
class SavedCheckpoint:
    """One complete checkpoint."""

    step: int
    folder: Path
    max_steps: int
    """Updates that the run will make."""
    save_steps: int
    """Updates between two checkpoints."""


def saved_checkpoints(run: Path) -> list[SavedCheckpoint]:
    """Return the complete checkpoints of a run, by step."""
    found = [
        saved
        for folder in _checkpoint_folders(run)
        if isinstance(saved := read_checkpoint(folder), SavedCheckpoint)
    ]
    return sorted(found, key=lambda saved: saved.step)


def newest_checkpoint(run: Path) -> Path | None:
    """Return the folder of the newest complete checkpoint, None before there is one."""
    saved = saved_checkpoints(run)
    return saved[-1].folder if saved else None


def is_finished(run: Path) -> bool:
    """Return whether the newest complete checkpoint is of the run's last update."""
    saved = saved_checkpoints(run)
    return bool(saved) and saved[-1].step >= saved[-1].max_steps


def describe_newest(run: Path) -> str:
    """Return a clause that names the newest complete checkpoint, or says that there is none."""
    newest = newest_checkpoint(run)
    return "there is no checkpoint" if newest is None else f"the newest checkpoint is {newest}"


def incomplete_checkpoints(run: Path) -> dict[Path, str]:
    """Map the folders of incomplete checkpoints to what they lack."""
    return {
        folder: lack
        for folder in _checkpoint_folders(run)
        if isinstance(lack := read_checkpoint(folder), str)
    }


def read_checkpoint(folder: Path) -> SavedCheckpoint | str:
    """Return a checkpoint, or a text that says what it lacks."""
    step = int(folder.name.partition("-")[2])
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        found = SavedCheckpoint(
            step=step,
            folder=folder,
            max_steps=int(state["max_steps"]),
            save_steps=int(state["save_steps"]),
        )
        if state["global_step"] != step:
            return f"{STATE} is of step {state['global_step']}"
        return next(_missing_parts(folder), found)
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (CheckpointError, OSError, ValueError, KeyError, TypeError) as error:
        return f"not readable yet: {error}"


def hash_folder_weights(folder: Path) -> str:
    """Return a hash of the weights in a folder."""
    return hash_weights(weight_files(folder))


def _checkpoint_folders(run: Path) -> Iterable[Path]:
    return [p for p in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", p.name)]


def _missing_parts(folder: Path) -> Iterator[str]:
    files = weight_files(folder)
    if not files:
        yield "no weights"
    for path in files:
        size, expected = path.stat().st_size, expected_bytes(path)
        if size < expected:
            yield f"{path.name} has {size:,} of {expected:,} bytes"
    if not (folder / ADAPTER_CONFIG).exists() and not (folder / "config.json").exists():
        yield "config.json is missing"
