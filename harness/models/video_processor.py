"""Reads the video processor's settings from a checkpoint folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.parts import object_at, read_optional_part

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
    nested = read_optional_part(folder / _NESTED)
    if nested.get("video_processor") is not None:
        return object_at(nested, "video_processor", folder / _NESTED)
    name = _VIDEO if (folder / _VIDEO).is_file() else _IMAGE
    return read_optional_part(folder / name)


def patch_multiple(folder: Path) -> int:
    """Return what the sides of a frame are multiples of, in pixels: patch size x merge size.

    The image processor is used if there is no video processor; 28 if neither has the sizes.
    """
    images = object_at(read_optional_part(folder / _NESTED), "image_processor", folder / _NESTED)
    for config in (video_processor_config(folder), images):
        patch, merge = config.get("patch_size"), config.get("merge_size")
        if isinstance(patch, int) and isinstance(merge, int):
            return patch * merge
    return DEFAULT_PATCH_MULTIPLE


def require_video(folder: Path) -> None:
    """Raise `CheckpointError` for a checkpoint that takes no video: it would train without it."""
    config = read_optional_part(folder / "config.json")
    if not any(name in config for name in _VIDEO_TOKENS):
        raise CheckpointError(
            f"{folder} takes no video (config.json has no {' or '.join(_VIDEO_TOKENS)});"
            " train a video-language checkpoint"
        )
    found = video_processor_config(folder)
    of_images = found == read_optional_part(folder / _IMAGE) and "temporal_patch_size" not in found
    if not found or of_images:
        raise CheckpointError(
            f"{folder} has no video processor ({_VIDEO}, or a 'video_processor' in {_NESTED});"
            " copy it from the base model"
        )
