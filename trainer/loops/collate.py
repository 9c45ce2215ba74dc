"""Collate prompts and completions into one batch: prompts padded left, completions right.

Every completion then begins in the same column, and the columns before it need no LM head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainer.loops.inputs import PromptInputs
from trainer.loops.kept_features import FEATURES, KeptFeatures

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""Label of tokens that are not in the loss."""
_PIXELS = ("pixel_values", "pixel_values_videos")
_GRIDS = {"image": "image_grid_thw", "video": "video_grid_thw"}


def padded(
    rows: Sequence[Sequence[int]],
    value: int,
    *,
    left: bool = False,
    least: int = 0,
    device: Any = None,
) -> torch.Tensor:
    """Pad rows of ids to the longest one, at least to `least`; shape (rows, width)."""
    import torch

    width = max(least, *(len(row) for row in rows), 0)
    table = torch.full((len(rows), width), value)
    for at, row in enumerate(rows):
        if row:
            table[at, slice(-len(row), None) if left else slice(len(row))] = torch.tensor(row)
    return table.to(device)


def mask_of(
    rows: Sequence[Sequence[int]], *, left: bool = False, device: Any = None
) -> torch.Tensor:
    """Return 1 where `padded` puts an id and 0 where it pads."""
    return padded([[1] * len(row) for row in rows], 0, left=left, device=device)


def media_tensors(
    rows: Sequence[PromptInputs], *, device: Any = None, kept: KeptFeatures | None = None
) -> dict[str, Any]:
    """Concatenate the media of a batch; pixels of a row that is listed twice occur once.

    Args:
        rows: The prompts of the batch.
        device: Where the tensors go.
        kept: Vision features that may be known; then there are no pixels.

    Returns:
        Tensors by the model's argument name: pixels of the distinct rows, in order of first
        appearance, and all else (grids, seconds per grid) once per row. ``shown`` maps a modality
        to the index of each medium of the batch among the distinct ones; see
        `trainer.loops.forward.SHOWN`.
    """
    import torch

    distinct = list({id(row): row for row in rows}.values())
    joined: dict[str, Any] = {}
    known = kept.outputs_of(rows) if kept is not None else None
    names = {name for row in distinct for name in row.tensors}
    for name in sorted(names if known is None else names.difference(_PIXELS)):
        given = distinct if name in _PIXELS else rows
        joined[name] = torch.cat([row.tensors[name] for row in given if name in row.tensors])
        joined[name] = joined[name].to(device)
    if known is not None:
        return {**joined, FEATURES: known} if known.by_modality else joined
    shown = {modality: _media_indices(rows, distinct, grid) for modality, grid in _GRIDS.items()}
    return {**joined, "shown": shown}


def _media_indices(
    rows: Sequence[PromptInputs], distinct: Sequence[PromptInputs], grid: str
) -> list[int]:
    indices: dict[int, list[int]] = {}
    count = 0
    for row in distinct:
        media = len(row.tensors[grid]) if grid in row.tensors else 0
        indices[id(row)] = list(range(count, count + media))
        count += media
    return [index for row in rows for index in indices[id(row)]]


def token_types(ids: torch.Tensor, vision_ids: dict[str, int]) -> torch.Tensor:
    """Mark image tokens 1 and video tokens 2, as Qwen-VL processors do."""
    import torch

    types = torch.zeros_like(ids)
    types[ids == vision_ids["image"]] = 1
    types[ids == vision_ids["video"]] = 2
    return types


def make_batch(
    rows: Sequence[PromptInputs],
    completions: Sequence[Sequence[int]],
    vision_ids: dict[str, int],
    pad_id: int,
) -> dict[str, Any]:
    """Return the model arguments of a forward pass over prompts and their completions."""
    import torch

    prompts = [row.ids for row in rows]
    ids = torch.cat([padded(prompts, pad_id, left=True), padded(completions, pad_id)], dim=1)
    mask = torch.cat([mask_of(prompts, left=True), mask_of(completions)], dim=1)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "mm_token_type_ids": token_types(ids, vision_ids),
        **media_tensors(rows),
    }
