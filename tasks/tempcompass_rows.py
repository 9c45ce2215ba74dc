"""Read TempCompass's two published layouts into rows with the hub's fields.

GitHub (llyx97/TempCompass@e1b4631): ``questions/<task>.json``, nested by video and aspect, and
``meta_info.json`` with the fine-grained types. Hub (lmms-lab/TempCompass): one Parquet file per
task, without types. Rows from GitHub also have the type; captioning rows of both layouts also have
the multiple-choice question that the judge answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from tasks.files import Row, first_existing, json_rows, read_json, read_rows
from tasks.tempcompass_rules import (
    ANSWER,
    CAPTIONING,
    MC_ANSWER,
    MC_QUESTION,
    MULTI_CHOICE,
    QUESTION,
    TASKS,
)

VIDEO, ASPECT = "video_id", "dim"
TYPE = "type"

_ORDER = "order"
"""The only aspect without fine-grained types."""

_Types = dict[tuple[str, str], Any]


def read_tasks(data: Path) -> tuple[dict[str, list[Row]], tuple[Path, ...]]:
    """Return each task's rows in publication order, and the files that were read."""
    rows, files = (_read_github if (data / "questions").is_dir() else _read_hub)(data)
    first = {video_and_aspect(row): row for row in reversed(rows[MULTI_CHOICE])}
    rows[CAPTIONING] = [_with_choices(row, first) for row in rows[CAPTIONING]]
    return rows, tuple(files)


def video_and_aspect(row: Row) -> tuple[str, str]:
    """Return the video and the aspect of a row."""
    return row.text(VIDEO), row.text(ASPECT)


def _read_github(data: Path) -> tuple[dict[str, list[Row]], list[Path]]:
    """Read GitHub's nested question files and add the fine-grained type to each row."""
    meta = data / "meta_info.json"
    types = _read_types(meta)
    files = {task: data / "questions" / f"{task}.json" for task in TASKS}
    rows = {task: list(_flatten(file, types)) for task, file in files.items()}
    return rows, [*files.values(), meta]


def _read_hub(data: Path) -> tuple[dict[str, list[Row]], list[Path]]:
    """Read the hub's Parquet files, which have no fine-grained types."""
    files = {
        task: first_existing(data, f"questions/{task}.json", f"{task}/test*.parquet")
        for task in TASKS
    }
    rows = {
        task: [row for file in found for row in read_rows(file)] for task, found in files.items()
    }
    return rows, [file for found in files.values() for file in found]


def _flatten(file: Path, types: _Types) -> Iterator[Row]:
    for video, aspects in _require_object(file, read_json(file)).items():
        for aspect, questions in _require_object(file, aspects).items():
            kind = types.get((video, aspect))
            if kind is None:
                raise DatasetError(f"{file}: meta_info.json has no type for {video}/{aspect}")
            added = {VIDEO: video, ASPECT: aspect, TYPE: kind}
            for row in json_rows(file, questions):
                yield Row({**row.fields, **added}, f"{row.where} of {video}/{aspect}")


def _read_types(meta: Path) -> _Types:
    """Map (video, aspect) to the fine-grained type; the aspect ``order`` has only one."""
    types: _Types = {}
    for video, about in _require_object(meta, read_json(meta)).items():
        for aspect, described in _require_object(
            meta, _require_object(meta, about).get("eval_dim")
        ).items():
            kind = described.get(TYPE) if isinstance(described, dict) else None
            types[video, aspect] = _ORDER if aspect == _ORDER else kind
    return types


def _require_object(file: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected an object per video and aspect, got {content!r:.80}")
    return content


def _with_choices(row: Row, first: Mapping[tuple[str, str], Row]) -> Row:
    """Add the question that the judge answers, which the hub's captioning rows already have."""
    if MC_QUESTION in row.fields:
        return row
    video, aspect = video_and_aspect(row)
    if (video, aspect) not in first:
        raise DatasetError(f"{row.where}: no {MULTI_CHOICE} question on {video}/{aspect}")
    choices = first[video, aspect]
    added = {MC_QUESTION: choices.text(QUESTION), MC_ANSWER: choices.text(ANSWER)}
    return Row({**row.fields, **added}, row.where)
