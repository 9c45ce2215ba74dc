"""Encode and run distinct prompts once, for all of their completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from trainer.loops import collate, forward, shared_attention
from trainer.loops.inputs import PromptInputs
from trainer.loops.kept_features import KeptFeatures
from trainer.loops.shared_cache import SharedPromptCache
from trainer.loops.shared_prompts import distinct_rows
from trainer.loops.wanted_states import KEPT


def encode_media(trainer: Any, rows: Sequence[PromptInputs]) -> None:
    """Encode the media of these prompts in one call, and keep their features, and no others.

    All processes call this with at least one row, since sharded weights are gathered from all.

    Args:
        trainer: A `RolloutTrainer` whose tower is frozen.
        rows: The prompts of a batch, the same object where it is the same prompt.
    """
    distinct, _ = distinct_rows(rows)
    media = collate.media_tensors(distinct, device=trainer.accelerator.device)
    with torch.no_grad(), trainer.accelerator.autocast():
        encoded = forward.encode(trainer.accelerator.unwrap_model(trainer.model), media)
    trainer.kept_features.remember(distinct, encoded.get("mm_encoder_outputs", {}))


def prefill(
    model: Any,
    rows: Sequence[PromptInputs],
    vision_ids: dict[str, int],
    *,
    pad_id: int,
    device: Any = None,
    kept: KeptFeatures | None = None,
) -> dict[str, Any]:
    """Return the arguments of ``generate`` for one completion per row.

    The cache holds all tokens of the prompts but the last one, which ``generate`` begins with.

    Args:
        model: The policy, without a wrapper for several processes.
        rows: The prompt of each completion, the same object where it is the same prompt.
        vision_ids: The placeholder token of each modality.
        pad_id: Token that prompts are padded with, on the left.
        device: Where the model is.
        kept: Vision features that need not be computed again.
    """
    from transformers import DynamicCache

    distinct, numbers = distinct_rows(rows)
    prompts = [row.ids for row in distinct]
    ids = collate.padded(prompts, pad_id, left=True, device=device)
    mask = collate.mask_of(prompts, left=True, device=device)
    media = collate.media_tensors(distinct, device=device, kept=kept)
    backbone = getattr(model, "get_base_model", lambda: model)().base_model
    positions, deltas = forward.positions_of(
        backbone, ids, collate.token_types(ids, vision_ids), mask, media
    )
    cache = DynamicCache(config=model.config.get_text_config())
    inputs = {"input_ids": ids[:, :-1], "attention_mask": mask[:, :-1], **media}
    model(
        **forward.encode(model, inputs),
        position_ids=positions[:, :, :-1],
        past_key_values=cache,
        use_cache=True,
        **{KEPT: 1},
    )
    prompt_of = torch.tensor(numbers).to(device)
    if shared_attention.is_prepared(model):
        cache = SharedPromptCache(cache, mask[:, :-1], numbers)
    else:
        cache.batch_select_indices(prompt_of)
    backbone.rope_deltas = deltas.index_select(0, prompt_of)  # `generate` goes on from them
    return {
        "input_ids": ids.index_select(0, prompt_of),
        "attention_mask": mask.index_select(0, prompt_of),
        "past_key_values": cache,
    }
