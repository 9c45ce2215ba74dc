"""Sample completions token by token, after prompts whose keys and values are cached.

This takes the place of the loop in transformers' ``generate``, which prepares everything else: the
processors of logits and what ends a completion. It draws the tokens that ``generate`` draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from trainer.loops.decoder_layer import KNOWN, DecoderLayer, Norm, Rotary
from trainer.loops.packed_linear import join
from trainer.loops.shared_cache import SharedPromptCache

_ROTARY_TOKENS = 64
"""Tokens whose rotary position embeddings are computed at once."""


def find_obstacle(model: Any) -> str | None:
    """Return why `Decoder` cannot sample from a model without its wrappers; None: it can."""
    layers = _language_model(model).layers
    if any(isinstance(weight, DTensor) or not weight.numel() for weight in layers.parameters()):
        return "weights that are divided among processes"
    if unknown := {type(layer).__name__ for layer in layers} - KNOWN:
        return f"layers of class {', '.join(sorted(unknown))}"
    return None


class Decoder:
    """Sample one batch of completions: ``model.generate(..., custom_generate=Decoder(...))``.

    It copies weights when it is called, and has to be made anew for every batch.

    Args:
        cache: The prompts without their last tokens.
        positions: Positions of these last tokens, shape (completions, 1).
    """

    def __init__(self, cache: SharedPromptCache, positions: torch.Tensor) -> None:
        self._cache = cache
        self._positions = positions

    def __call__(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **_: Any,
    ) -> torch.Tensor:
        """Return prompts and completions, padded on the right; ``generate`` calls this.

        Args:
            model: The policy.
            input_ids: The prompts, shape (completions, tokens).
            logits_processor: Makes scores of logits.
            stopping_criteria: Says which completions are finished.
            generation_config: Whether to sample, and the token of padding.
        """
        rows = len(input_ids)
        language = _language_model(model)
        embed = model.get_input_embeddings()
        layers = [
            DecoderLayer(layer, number, self._cache, rows=rows)
            for number, layer in enumerate(language.layers)
        ]
        norm = Norm(language.norm)
        head = join([model.get_output_embeddings()], rows=rows)
        rotary_embeddings = self._rotary_embeddings(language, embed.weight)
        unfinished = torch.ones(rows, dtype=torch.bool, device=input_ids.device)
        while bool(unfinished.any()):
            states = embed(input_ids[:, -1])
            rotary = next(rotary_embeddings)
            for layer in layers:
                states = layer(states, rotary)
            scores = logits_processor(input_ids, head(norm(states)).float())
            if generation_config.do_sample:
                tokens = torch.multinomial(scores.softmax(dim=-1), 1)[:, 0]
            else:
                tokens = scores.argmax(dim=-1)
            tokens = tokens.where(unfinished, generation_config.pad_token_id)
            input_ids = torch.cat([input_ids, tokens[:, None]], dim=1)
            unfinished = unfinished & ~stopping_criteria(input_ids, None)
        return input_ids

    def _rotary_embeddings(self, language: Any, like: torch.Tensor) -> Iterator[Rotary]:
        """Return the rotary position embeddings of one token of each completion after another."""
        at = self._positions
        while True:
            block = at + torch.arange(_ROTARY_TOKENS, device=at.device)
            cos, sin = language.rotary_emb(like, block.expand(3, -1, -1))
            for token in range(_ROTARY_TOKENS):
                yield Rotary(cos[:, token], sin[:, token])
            at = at + _ROTARY_TOKENS


def _language_model(model: Any) -> Any:
    return getattr(model, "get_base_model", lambda: model)().base_model.language_model
