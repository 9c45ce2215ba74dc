"""Reads the JSON files of a checkpoint: bounded, and damage is named with file and field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

MAX_JSON_BYTES = 64 << 20
"""The largest JSON file that is read; the tokenizers of published models have up to 35 MB."""
_AGAIN = "fetch or save it again"


def read_part(path: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint; raises `CheckpointError` for anything but an object."""
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise CheckpointError(
                f"{path} has {size:,} bytes, expected at most {MAX_JSON_BYTES:,}; {_AGAIN}"
            )
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise CheckpointError(f"{path}: not valid JSON: nested too deeply; {_AGAIN}") from None
    except ValueError as error:
        what = "it is empty" if size == 0 else str(error)
        raise CheckpointError(f"{path}: not valid JSON: {what}; {_AGAIN}") from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds a {type(content).__name__}, expected a JSON object; {_AGAIN}"
        )
    return content


def read_optional_part(path: Path) -> dict[str, Any]:
    """Read a JSON file as `read_part` does; return an empty mapping where there is none."""
    return read_part(path) if path.is_file() else {}


def object_at(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return an object within a JSON file, empty where it is absent or null.

    Raises:
        CheckpointError: It is something else.
    """
    value = content.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path}: {name}: expected a JSON object, got {show_value(value)}; {_AGAIN}"
        )
    return value


def show_value(value: object) -> str:
    """Return a value for a message, cut to 60 characters."""
    text = json.dumps(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def require_file(folder: Path, name: str) -> Path:
    """Return a file of a checkpoint; raises `CheckpointError` where it is missing."""
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {name}; is it a folder save_pretrained() wrote?")
    return path
