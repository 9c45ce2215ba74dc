"""Encode and run distinct prompts once, for all of their completions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trainer.loops import collate, forward, shared_attention
from trainer.loops.inputs import PromptInputs
from trainer.loops.kept_features import KeptFeatures
from trainer.loops.shared_cache import SharedPromptCache
from trainer.loops.shared_prompts import distinct_rows, lay_out_prompts
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefilled:
    """Prompts that a sampler goes on from."""

    inputs: dict[str, Any]
    """Arguments of ``generate`` for one completion per row."""
    positions: torch.Tensor
    """Position of the last token of each completion's prompt, which is not in the cache yet; shape
    (completions, 1)."""

    @property
    def cache(self) -> SharedPromptCache | None:
        """The cache that has each prompt once; None where the model cannot use one."""
        cache = self.inputs["past_key_values"]
        return cache if isinstance(cache, SharedPromptCache) else None


def sampling_order(rows: Sequence[PromptInputs]) -> list[int]:
    """Return the order in which rows are sampled: those of a prompt together, as `prefill` needs.

    Prompts with equally many completions are neighbours too.

    Args:
        rows: The prompt of each completion, the same object where it is the same prompt.
    """
    _, numbers = distinct_rows(rows)
    count = Counter(numbers)
    return sorted(range(len(rows)), key=lambda at: (-count[numbers[at]], numbers[at]))


def prefill(
    model: Any,
    rows: Sequence[PromptInputs],
    vision_ids: dict[str, int],
    *,
    pad_id: int,
    device: Any = None,
    kept: KeptFeatures | None = None,
) -> Prefilled:
    """Compute prompts up to their last tokens, with which sampling begins.

    Args:
        model: The policy, without a wrapper for several processes.
        rows: The prompt of each completion, the same object where it is the same prompt, in
            `sampling_order`.
        vision_ids: The placeholder token of each modality.
        pad_id: Token that prompts are padded with, on the left.
        device: Where the model is.
        kept: Vision features that need not be computed again.
    """
    distinct, numbers = distinct_rows(rows)
    prompts = [row.ids for row in distinct]
    ids = collate.padded(prompts, pad_id, left=True, device=device)
    mask = collate.mask_of(prompts, left=True, device=device)
    media = collate.media_tensors(distinct, device=device, kept=kept)
    backbone = getattr(model, "get_base_model", lambda: model)().base_model
    positions, deltas = forward.positions_of(
        backbone, ids, collate.token_types(ids, vision_ids), mask, media
    )
    most = {"input_ids": ids[:, :-1], "attention_mask": mask[:, :-1], **media}
    prompt_of = torch.tensor(numbers).to(device)
    if shared_attention.is_prepared(model):
        packed = _run_packed(model, most, positions[:, :, :-1])
        completions = [numbers.count(number) for number in range(len(distinct))]
        cache = SharedPromptCache(packed, [len(prompt) - 1 for prompt in prompts], completions)
    else:
        cache = _run(model, most, position_ids=positions[:, :, :-1])
        cache.batch_select_indices(prompt_of)
    deltas = deltas.index_select(0, prompt_of)
    backbone.rope_deltas = deltas  # `generate` goes on from them
    mask = mask.index_select(0, prompt_of)
    return Prefilled(
        inputs={
            "input_ids": ids.index_select(0, prompt_of),
            "attention_mask": mask,
            "past_key_values": cache,
        },
        positions=mask.sum(dim=1, keepdim=True) - 1 + deltas,
    )


def _run_packed(
    model: Any, padded: Mapping[str, Any], positions: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Run prompts side by side in one row, without their padding.

    Args:
        model: The policy.
        padded: Arguments of a forward pass over prompts that are padded on the left.
        positions: Positions of their tokens, shape (3, prompts, tokens).

    Returns:
        Keys and values of each layer, each of shape (prompts, heads, longest prompt, head
        dimension), padded on the right.
    """
    mask = padded["attention_mask"].bool()
    row = lay_out_prompts(mask.sum(dim=1).tolist(), mask.device)
    inputs = {name: value for name, value in padded.items() if name != "attention_mask"}
    inputs["input_ids"] = padded["input_ids"][mask][None]
    cache = _run(
        model, inputs, position_ids=positions[:, mask][:, None], **{shared_attention.NAME: row}
    )
    for layer in cache.layers:
        keys, values = (
            row.pad(part[0].transpose(0, 1))[0].transpose(1, 2).contiguous()
            for part in (layer.keys, layer.values)
        )
        yield keys, values


def _run(model: Any, inputs: dict[str, Any], **options: Any) -> Any:
    """Run prompts and return transformers' cache of them."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config.get_text_config())
    model(
        **forward.encode(model, inputs),
        past_key_values=cache,
        use_cache=True,
        **{KEPT: 1},
        **options,
    )
    return cache
