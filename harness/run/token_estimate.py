"""Estimates how many tokens an item has, from a few decoded clips and without a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.models.video_processor import video_processor_config
from harness.plugins import is_installed
from harness.schema import Clip, MediaKind

_FRAMES_PER_TOKEN = 2
"""Frames that share a vision token at Qwen2-VL to Qwen3-VL (``temporal_patch_size``)."""
_CHARACTERS_PER_TOKEN = 4
"""Of English text, roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTokens:
    """Vision tokens of the clips of an item, as the mean over the clips that were decoded."""

    frames: float
    tokens: float
    clips: int
    """Clips that were decoded for it."""


def estimate_frame_tokens(
    items: Sequence[Sequence[Clip]], patch_multiple: int, folder: Path | None
) -> FrameTokens | None:
    """Return the mean number of frames and of their tokens per item; None without items.

    A token stands for ``patch_multiple`` x ``patch_multiple`` pixels of so many frames as the video
    processor takes together. Texts between frames (their times) are not counted.

    Args:
        items: The decoded clips of some items.
        patch_multiple: Side of a token in pixels.
        folder: The checkpoint; None: two frames per token.
    """
    if not items:
        return None
    together = frames_per_token(folder)
    frames = [sum(len(clip.frames) for clip in clips) for clips in items]
    tokens = [sum(_tokens_of(clip, patch_multiple, together) for clip in clips) for clips in items]
    return FrameTokens(
        frames=sum(frames) / len(items), tokens=sum(tokens) / len(items), clips=len(items)
    )


def frames_per_token(folder: Path | None) -> int:
    """Return how many frames a checkpoint's video processor takes together."""
    config = {} if folder is None else video_processor_config(folder)
    stored = config.get("temporal_patch_size")
    return stored if isinstance(stored, int) and stored > 0 else _FRAMES_PER_TOKEN


def count_text_tokens(text: str, folder: Path | None) -> tuple[int, bool]:
    """Return the number of tokens of a text, and whether it was counted by the checkpoint's own.

    Without the package ``tokenizers`` or a tokenizer.json it is estimated from the length.
    """
    file = None if folder is None else folder / "tokenizer.json"
    if file is not None and file.is_file() and is_installed("tokenizers"):
        from tokenizers import Tokenizer

        return len(Tokenizer.from_file(str(file)).encode(text, add_special_tokens=False).ids), True
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN), False


def _tokens_of(clip: Clip, patch_multiple: int, together: int) -> int:
    count, height, width = (int(length) for length in clip.frames.shape[:3])
    steps = 1 if clip.kind is MediaKind.IMAGE else math.ceil(count / together)
    return steps * math.ceil(height / patch_multiple) * math.ceil(width / patch_multiple)
