"""Reads the video processor's settings from a checkpoint folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

_VIDEO_TOKENS = ("video_token_id", "video_token_index")


def require_video(folder: Path) -> None:
    """Raise `CheckpointError` for a checkpoint that knows no video: it would train blind."""
    config = _read(folder / "config.json")
    if not any(name in config for name in _VIDEO_TOKENS):
        raise CheckpointError(
            f"{folder} knows no video (config.json has no {' or '.join(_VIDEO_TOKENS)});"
            " train a video-language checkpoint"
        )
    if not _video_processor(folder):
        raise CheckpointError(
            f"{folder} has no video processor (video_preprocessor_config.json, or a"
            " 'video_processor' in processor_config.json); copy it from the base model"
        )


def _video_processor(folder: Path) -> dict[str, Any]:
    """Return the settings of the video processor, empty where there is none.

    Qwen2-VL's first releases described images and videos in one file.
    """
    nested: dict[str, Any] = _read(folder / "processor_config.json").get("video_processor", {})
    flat = _read(folder / "video_preprocessor_config.json")
    shared = _read(folder / "preprocessor_config.json")
    return nested or flat or (shared if "temporal_patch_size" in shared else {})


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from None
    return content
