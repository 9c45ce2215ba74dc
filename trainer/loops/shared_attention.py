"""Attend in packed rows: prompts to themselves, completions to their prompt and to themselves.

Two calls of torch's `scaled_dot_product_attention` instead of one with a mask over the whole row: a
row of P + G * C tokens costs P * P + G * C * (P + C) scores instead of (P + G * C) squared, and
needs no kernel that a device may lack.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from trainer.loops.shared_prompts import SharedPrompts

_log = logging.getLogger(__name__)

NAME = "shared_prompts"
"""Name of the attention among those of transformers, and of the argument that has the row."""
CACHE = "prompt_cache"
"""Name of the argument that has a sampler's cache, see `trainer.loops.shared_cache`."""


def prepare_model(model: Any) -> str | None:
    """Make the language model of `model` accept packed rows; all other passes stay as they are.

    Returns:
        Why the model takes none; None where it does.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    reason = _find_obstacle(model)
    if reason is None:
        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation({"text_config": NAME})
    return reason


def is_prepared(model: Any) -> bool:
    """Return whether `prepare_model` made the model accept packed rows."""
    return bool(model.config.get_text_config()._attn_implementation == NAME)


def accepts_packed_rows(model: Any) -> bool:
    """Call `prepare_model`; log why where the model takes no packed rows."""
    reason = prepare_model(model)
    if reason is not None:
        _log.warning(
            "a prompt is computed once per completion in every pass: %s (rollout.share_prompt ="
            " false asks for that and does not warn)",
            reason,
        )
    return reason is None


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    shared_prompts: SharedPrompts | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention's output, shape (rows, tokens, heads, head dimension).

    Args:
        module: The attention layer.
        query: Shape (rows, heads, tokens, head dimension).
        key: The same with the heads of keys and values.
        value: Like `key`.
        attention_mask: The model's mask, where the row is not packed.
        shared_prompts: The packed row.
        options: ``dropout``, ``scaling`` and what else a model gives its attention; with
            `CACHE` a sampler decodes. Without it and a packed row transformers' own
            attention is used.
    """
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if (cache := options.pop(CACHE, None)) is not None:
        return cache.attend(query, module.layer_idx, options["scaling"]), None
    if shared_prompts is None:
        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **options
        )
        return plain
    groups = query.shape[1] // key.shape[1]
    parts = (query, repeat_kv(key, groups), repeat_kv(value, groups))
    return _attend_packed(*parts, shared_prompts, options.get("dropout", 0.0), options["scaling"])


def _attend_packed(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    row: SharedPrompts,
    dropout: float,
    scale: float,
) -> tuple[torch.Tensor, None]:
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attention

    (prompt_q, q), (prompt_k, k), (prompt_v, v) = (
        [one.transpose(1, 2) for one in row.pad(part[0].transpose(0, 1))]
        for part in (query, key, value)
    )
    # Padding is on the right, where no token of a prompt looks.
    of_prompts = attention(
        prompt_q, prompt_k, prompt_v, is_causal=True, dropout_p=dropout, scale=scale
    )
    if not row.completion_lengths:
        return row.unpad(of_prompts.transpose(1, 2), q.transpose(1, 2))[None], None
    of_completions = attention(
        q,
        torch.cat([prompt_k.index_select(0, row.prompt_of), k], dim=2),
        torch.cat([prompt_v.index_select(0, row.prompt_of), v], dim=2),
        attn_mask=row.visible,
        dropout_p=dropout,
        scale=scale,
    )
    return row.unpad(of_prompts.transpose(1, 2), of_completions.transpose(1, 2))[None], None


def _find_obstacle(model: Any) -> str | None:
    text = model.config.get_text_config()
    used = text._attn_implementation
    if used not in ("sdpa", NAME):
        return f'model.attn_implementation is "{used}", and packed rows need "sdpa"'
    if "sliding_attention" in (getattr(text, "layer_types", None) or ()):
        return f"{text.model_type} has layers with a sliding window"
    if not hasattr(model.base_model, "get_rope_index"):
        return f"{model.config.model_type} computes its positions in another way"
    return None
