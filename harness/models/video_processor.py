"""Reads the video processor's settings from a checkpoint folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.identity import read_part

DEFAULT_PATCH_MULTIPLE = 28
"""Qwen2.5-VL's: patches of 14 pixels, 2 x 2 of them merged into one token."""

_NESTED = "processor_config.json"
_VIDEO, _IMAGE = "video_preprocessor_config.json", "preprocessor_config.json"
_VIDEO_TOKENS = ("video_token_id", "video_token_index")


def video_processor_config(folder: Path) -> dict[str, Any]:
    """Return the settings that frames are processed with, empty where there are none.

    They are looked for as transformers does it: ``video_processor`` in processor_config.json, else
    video_preprocessor_config.json, else preprocessor_config.json, which older checkpoints use for
    images and videos (transformers 5.19, ``get_video_processor_config``).

    Raises:
        CheckpointError: A file is damaged.
    """
    nested: dict[str, Any] | None = _read_optional(folder / _NESTED).get("video_processor")
    if nested is not None:
        return nested
    name = _VIDEO if (folder / _VIDEO).is_file() else _IMAGE
    return _read_optional(folder / name)


def patch_multiple(folder: Path) -> int:
    """Return what the sides of a frame are multiples of, in pixels: patch size x merge size.

    The image processor is used if there is no video processor; 28 if neither has the sizes.
    """
    images = _read_optional(folder / _NESTED).get("image_processor", {})
    for config in (video_processor_config(folder), images):
        patch, merge = config.get("patch_size"), config.get("merge_size")
        if isinstance(patch, int) and isinstance(merge, int):
            return patch * merge
    return DEFAULT_PATCH_MULTIPLE


def require_video(folder: Path) -> None:
    """Raise `CheckpointError` for a checkpoint that takes no video: it would train without it."""
    config = _read_optional(folder / "config.json")
    if not any(name in config for name in _VIDEO_TOKENS):
        raise CheckpointError(
            f"{folder} takes no video (config.json has no {' or '.join(_VIDEO_TOKENS)});"
            " train a video-language checkpoint"
        )
    found = video_processor_config(folder)
    of_images = found == _read_optional(folder / _IMAGE) and "temporal_patch_size" not in found
    if not found or of_images:
        raise CheckpointError(
            f"{folder} has no video processor ({_VIDEO}, or a 'video_processor' in {_NESTED});"
            " copy it from the base model"
        )


def _read_optional(path: Path) -> dict[str, Any]:
    return read_part(path) if path.is_file() else {}
