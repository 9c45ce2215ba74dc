"""Settings of a check of rows that belong to no recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.config import build, override
from trainer.config.sections import DataSettings, FrameSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheckSettings:
    """The sections of a recipe that a check of rows depends on."""

    data: DataSettings
    frames: FrameSettings = field(default_factory=FrameSettings)


def read_check_settings(
    rows: Sequence[Path], roots: Sequence[Path], workers: int, assignments: Sequence[str]
) -> RowCheckSettings:
    """Return the settings for some files, changed by ``section.field=value`` strings.

    Args:
        rows: The files.
        roots: Folders of the media; empty: those of the files.
        workers: Processes that decode.
        assignments: Values that replace the defaults (``--set``).

    Raises:
        UsageError: An unknown key, or a value of another type or out of bounds.
    """
    folders = roots or tuple(dict.fromkeys(path.parent for path in rows))
    data = {
        "rows": [str(path) for path in rows],
        "media_roots": [str(folder) for folder in folders],
        "decode_workers": workers,
    }
    content = override(RowCheckSettings, {"data": data}, assignments)
    return build(RowCheckSettings, content, "--set")
