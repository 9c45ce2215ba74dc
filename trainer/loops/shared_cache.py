"""Sample with a cache that has each prompt once, for all of its completions.

transformers' own cache has a copy of the prompt per completion and moves all of it for every token.
Here a token's scores are computed against the prompt, whose keys are read once for the group, and
against the completion's own keys, which stand in a buffer; both have one softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from trainer.loops.shared_attention import CACHE

_BLOCK = 256
"""Tokens that a buffer has, and grows by."""


def pass_cache(
    backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Give the attention the cache: a hook before the forward pass of the model below the head."""
    cache = kwargs.get("past_key_values")
    return (args, {**kwargs, CACHE: cache}) if isinstance(cache, SharedPromptCache) else None


class SharedPromptCache(DynamicCache):  # type: ignore[misc]
    """Keys and values of distinct prompts, and of completions behind them.

    Args:
        prompts: The cache of the prompts, padded on the left.
        mask: 1 for tokens, 0 for padding, shape (prompts, tokens).
        prompt_of: Number of the prompt of each completion.
    """

    def __init__(self, prompts: Any, mask: torch.Tensor, prompt_of: Sequence[int]) -> None:
        super().__init__()
        self.layers = [
            _Layer(layer.keys, layer.values, completions=len(prompt_of)) for layer in prompts.layers
        ]
        self.hidden = None if bool(mask.all()) else (mask == 0)[:, None, None]
        """Padding of prompts, shape (prompts, 1, 1, tokens); None: there is none."""
        rows: list[list[int]] = [[] for _ in mask]
        slots = []
        for at, prompt in enumerate(prompt_of):
            slots.append(len(rows[prompt]))
            rows[prompt].append(at)
        self._most = max(map(len, rows))
        filled = [[*own, *[own[0]] * (self._most - len(own))] for own in rows]
        places = [prompt * self._most + slot for prompt, slot in zip(prompt_of, slots, strict=True)]
        self._rows = torch.tensor(filled).flatten().to(mask.device)
        self._places = torch.tensor(places).to(mask.device)

    def by_prompt(self, of_rows: torch.Tensor) -> torch.Tensor:
        """Gather values per completion, shape (completions, heads, queries, ...), by their prompt.

        Returns:
            Shape (prompts, heads, most completions of a prompt * queries, ...).
        """
        gathered = of_rows.index_select(0, self._rows).unflatten(0, (-1, self._most))
        return gathered.transpose(1, 2).flatten(2, 3)

    def by_row(self, of_prompts: torch.Tensor) -> torch.Tensor:
        """Return values per completion: the inverse of `by_prompt`."""
        parted = of_prompts.unflatten(2, (self._most, -1)).transpose(1, 2).flatten(0, 1)
        return parted.index_select(0, self._places)

    def attend(self, query: torch.Tensor, layer: int, scale: float) -> torch.Tensor:
        """Return the attention's output for the newest tokens of the completions.

        Args:
            query: Shape (completions, heads, tokens, head dimension); their keys and values are in
                the cache.
            layer: Number of the layer.
            scale: Factor of the scores.

        Returns:
            Shape (completions, tokens, heads, head dimension).
        """
        own = self.layers[layer]
        keys, values = own.completion_keys, own.completion_values
        heads, tokens = keys.shape[1], query.shape[2]
        queries = query.unflatten(1, (heads, -1)).flatten(2, 3) * scale
        of_prompt = self.by_prompt(queries) @ own.prompt_keys.transpose(2, 3)
        if self.hidden is not None:
            of_prompt = of_prompt.masked_fill(self.hidden, float("-inf"))
        of_own = queries @ keys.transpose(2, 3)
        if tokens > 1:
            later = torch.ones(tokens, keys.shape[2], dtype=torch.bool, device=keys.device)
            later = later.triu(keys.shape[2] - tokens + 1).repeat(queries.shape[2] // tokens, 1)
            of_own = of_own.masked_fill(later, float("-inf"))
        length = own.prompt_keys.shape[2]
        scores = torch.cat([self.by_row(of_prompt), of_own], dim=3)
        shares = scores.softmax(dim=3, dtype=torch.float32).to(query.dtype)
        seen = self.by_row(self.by_prompt(shares[..., :length]) @ own.prompt_values)
        seen = seen + shares[..., length:] @ values
        return seen.unflatten(2, (-1, tokens)).flatten(1, 2).transpose(1, 2)


class _Layer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, *, completions: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.prompt_keys, self.prompt_values = keys, values
        self._length = 0
        shape = (completions, keys.shape[1], _BLOCK)
        self._keys = keys.new_empty(*shape, keys.shape[3])
        self._values = values.new_empty(*shape, values.shape[3])

    @property
    def completion_keys(self) -> torch.Tensor:
        """Keys of the completions so far, shape (completions, heads, tokens, head dimension)."""
        return self._keys[:, :, : self._length]

    @property
    def completion_values(self) -> torch.Tensor:
        """Values of the completions so far."""
        return self._values[:, :, : self._length]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values of the completions; returns all of the completions'."""
        start, self._length = self._length, self._length + key_states.shape[2]
        while self._length > self._keys.shape[2]:
            self._keys, self._values = (
                torch.cat([part, torch.empty_like(part[:, :, :_BLOCK])], dim=2)
                for part in (self._keys, self._values)
            )
        self._keys[:, :, start : self._length] = key_states
        self._values[:, :, start : self._length] = value_states
        return self.completion_keys, self.completion_values

    def get_seq_length(self) -> int:
        """Return the tokens of a prompt and of a completion so far."""
        return int(self.prompt_keys.shape[2]) + self._length
