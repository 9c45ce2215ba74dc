"""Corrects the rotary positions of text after a video in transformers' Qwen-VL models.

Qwen2-VL and Qwen2.5-VL were trained with positions in which every segment of text or vision starts
one after the largest position before it. transformers 5 starts the text after a video at the larger
of its height and width instead, so that text after a long video shares positions with later frames.
vLLM and transformers 4 count as in training.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

_AFFECTED = ("qwen2_vl", "qwen2_5_vl")


def fix_rope_positions(model: Any) -> None:
    """Make a loaded Qwen-VL model count positions as in training; other models are unchanged."""
    if model.config.model_type not in _AFFECTED:
        return
    backbone = model.model
    stock = backbone.get_rope_index

    def get_rope_index(
        input_ids: Any,
        mm_token_type_ids: Any,
        image_grid_thw: Any = None,
        video_grid_thw: Any = None,
        second_per_grid_ts: Any = None,
        attention_mask: Any = None,
        **others: Any,
    ) -> tuple[Any, Any]:
        found, deltas = stock(
            input_ids,
            mm_token_type_ids,
            image_grid_thw=image_grid_thw,
            video_grid_thw=video_grid_thw,
            second_per_grid_ts=second_per_grid_ts,
            attention_mask=attention_mask,
            **others,
        )
        for row, kinds in enumerate(mm_token_type_ids):
            seen = slice(None) if attention_mask is None else attention_mask[row].bool()
            laid = lay_out(found[:, row, seen], kinds[seen].tolist())
            found[:, row, seen] = laid
            deltas[row] = laid.max() + 1 - laid.shape[1]
        return found, deltas

    backbone.get_rope_index = get_rope_index


def lay_out(positions: Any, kinds: list[int]) -> Any:
    """Start every segment of one kind one after the largest position before it.

    Args:
        positions: Time, height and width per token, shape (3, tokens); correct within a segment.
        kinds: 0 for text, 1 for an image, 2 for a video, per token.

    Returns:
        A tensor like `positions`.
    """
    laid = positions.clone()
    begin = largest = 0
    for _, group in groupby(kinds):
        end = begin + len(list(group))
        stretch = positions[:, begin:end]
        laid[:, begin:end] = stretch - stretch.min() + largest
        largest = int(laid[:, begin:end].max()) + 1
        begin = end
    return laid
