"""Run one token of each completion through a decoder layer, in few operations.

With so few rows an operation takes as long to start as to compute. Calling the modules of a layer
of Qwen2.5-VL takes 118 operations of torch for a token, views among them, and this takes 83.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import rms_norm

from trainer.loops.packed_linear import join
from trainer.loops.shared_cache import SharedPromptCache

KNOWN = frozenset({"Qwen2VLDecoderLayer", "Qwen2_5_VLDecoderLayer", "Qwen3VLTextDecoderLayer"})
"""Classes of transformers that compute what `DecoderLayer` does."""


class DecoderLayer:
    """Compute a decoder layer for one token of each completion.

    Args:
        layer: A layer of a class in `KNOWN`; an adapter may have replaced its linear layers.
        number: Number of the layer.
        cache: Keys and values of the prompts and completions.
        rows: Number of completions.
    """

    def __init__(self, layer: Any, number: int, cache: SharedPromptCache, *, rows: int) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._number = number
        self._cache = cache
        self._scale = attention.scaling
        self._head_size = attention.head_dim
        self._norms = [Norm(layer.input_layernorm), Norm(layer.post_attention_layernorm)]
        self._head_norms = [
            Norm(getattr(attention, name))
            for name in ("q_norm", "k_norm")
            if hasattr(attention, name)
        ]
        self._project = join([attention.q_proj, attention.k_proj, attention.v_proj], rows=rows)
        self._heads = cache.layers[number].prompt_keys.shape[1]
        self._out = join([attention.o_proj], rows=rows)
        self._gate = join([mlp.gate_proj], rows=rows)
        self._up = join([mlp.up_proj], rows=rows)
        self._down = join([mlp.down_proj], rows=rows)
        self._activate = mlp.act_fn

    def __call__(self, states: torch.Tensor, rotary: Rotary) -> torch.Tensor:
        """Return the states after the layer, and add keys and values to the cache.

        Args:
            states: Shape (completions, hidden size).
            rotary: Rotates queries and keys by the positions of the tokens.
        """
        states = states + self._out(self._attend(self._norms[0](states), rotary))
        normed = self._norms[1](states)
        return states + self._down(self._activate(self._gate(normed)) * self._up(normed))

    def _attend(self, states: torch.Tensor, rotary: Rotary) -> torch.Tensor:
        heads = self._project(states).unflatten(1, (-1, self._head_size))
        values = heads[:, -self._heads :]
        both = heads[:, : -self._heads]  # heads of queries, then of keys
        if self._head_norms:
            query_norm, key_norm = self._head_norms
            queries, keys = both[:, : -self._heads], both[:, -self._heads :]
            both = torch.cat([query_norm(queries), key_norm(keys)], dim=1)
        rotated = rotary(both)[:, :, None]
        layer = self._cache.layers[self._number]
        layer.update(rotated[:, -self._heads :], values[:, :, None])
        seen = self._cache.attend(rotated[:, : -self._heads], self._number, self._scale)
        return seen.flatten(1)


class Norm:
    """Apply RMS norm with the weights of a module."""

    def __init__(self, module: Any) -> None:
        self._weight = module.weight.detach()
        self._epsilon = module.variance_epsilon

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Return normed states in the weights' number format; the last axis has the weights."""
        states = states.to(self._weight.dtype)  # under autocast a projection's outputs differ
        return rms_norm(states, self._weight.shape, self._weight, self._epsilon)


class Rotary:
    """Apply the rotary position embedding of one token per completion.

    Args:
        cos: Shape (completions, head dimension).
        sin: The same.
    """

    def __init__(self, cos: torch.Tensor, sin: torch.Tensor) -> None:
        self._half = cos.shape[1] // 2
        self._cos = cos[:, None]
        # transformers negates half of the states; that costs two operations per layer.
        self._sin = torch.cat([-sin[:, : self._half], sin[:, self._half :]], dim=1)[:, None]

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Rotate states of shape (completions, heads, head dimension)."""
        return torch.addcmul(states * self._cos, states.roll(self._half, -1), self._sin)
