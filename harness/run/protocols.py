"""Resolves the protocol of a task: a preset, changed by settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.config import build, merged
from harness.errors import UsageError
from harness.files import read_file
from harness.run.config import EvalConfig
from harness.task.api import Scorer
from harness.task.protocol import Protocol

_BOUNDS = (("min_frames", "max_frames"), ("min_pixels", "max_pixels"))


def apply_config(preset: Protocol, scorer: Scorer, config: EvalConfig) -> Protocol:
    """Return a protocol with the scorer and with the fields that the settings change.

    Raises:
        UsageError: A value is out of bounds, or the file of a system prompt cannot be read.
    """
    changes = dict(config.protocol_changes)
    if "system" in changes:
        changes["system"] = read_text_or_file(changes["system"])
    return change(replace(preset, scorer=scorer.tag), changes, "settings")


def change(protocol: Protocol, changes: Mapping[str, Any], where: str) -> Protocol:
    """Return a protocol with some fields replaced.

    A protocol of stored texts has no frames and no sampling; changes of them are left out. A cap
    below the least number of frames or pixels lowers that with it, and a least number above the cap
    raises the cap, unless both are named.

    Args:
        protocol: The protocol to start from.
        changes: New values by field name, in JSON types; nested for ``frames``, ``sampling`` and
            ``template_args``.
        where: Where the values come from, for messages.

    Raises:
        UsageError: An unknown field, a wrong type or a value out of bounds.
    """
    stored = asdict(protocol)
    for part in ("frames", "sampling"):
        if stored[part] is None:
            changes = {name: value for name, value in changes.items() if name != part}
    content = merged(stored, changes)
    frames = changes.get("frames")
    if isinstance(frames, Mapping):
        _keep_order(content["frames"], frames, where)
    return build(Protocol, content, where)


def read_text_or_file(value: str) -> str:
    """Return a text, or the content of the file that ``@FILE`` names, without its last newline.

    Raises:
        UsageError: The file cannot be read, or is no text.
    """
    if not value.startswith("@"):
        return value
    path = Path(value[1:]).expanduser()
    try:
        return read_file(path).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected a text in UTF-8: {error}") from None


def _keep_order(frames: dict[str, Any], changed: Mapping[str, Any], where: str) -> None:
    """Move the bound that was not named where the other one has passed it."""
    for low, high in _BOUNDS:
        try:
            if frames[low] <= frames[high]:
                continue
        except TypeError:
            continue  # `build` says which value has the wrong type
        if low in changed and high in changed:
            raise UsageError(
                f"{where}: frames.{low}: expected at most {high}, {frames[high]}, got {frames[low]}"
            )
        moved, kept = (low, high) if high in changed else (high, low)
        frames[moved] = frames[kept]
