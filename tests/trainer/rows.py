"""A handful of training rows with their media, in the paper's format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.clips import write_clip
from trainer.data.rows import (
    TrainingRow,
    read_training_rows,
)

VIDEO, IMAGE = "./clips/a.mp4", "./pictures/a.png"


def make_row(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the fields of a sound multiple-choice row about the video; None removes a field."""
    fields = {
        "problem_id": number,
        "problem": "What moves?",
        "data_type": "video",
        "problem_type": "multiple choice",
        "options": ["A. a cat", "B. a dog"],
        "process": "<think>It barks.</think>",
        "solution": "<answer>B</answer>",
        "path": VIDEO,
        "data_source": "toy",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as JSON Lines, or as a list where the suffix is ``.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    text = f"[{','.join(lines)}]" if path.suffix == ".json" else "\n".join(lines)
    path.write_text(text, encoding="utf-8")
    return path


def write_media(root: Path) -> Path:
    """Write the video and the picture that the rows speak of; returns the root."""
    (root / "clips").mkdir(parents=True, exist_ok=True)
    (root / "pictures").mkdir(exist_ok=True)
    write_clip(root / VIDEO)
    Image.new("RGB", (64, 48), "red").save(root / IMAGE)
    return root


def read_row(folder: Path, **changes: Any) -> TrainingRow:
    """Write one row to a file of its own and read it back."""
    path = write_rows(folder / "rows.jsonl", [make_row(**changes)])
    return read_training_rows([path], [folder])[0]
