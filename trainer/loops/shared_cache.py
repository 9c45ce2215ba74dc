"""Sample with a cache that has each prompt once, for all of its completions.

transformers' own cache has a copy of the prompt per completion and moves all of it for every token.
Here a token's scores are computed against the prompt, whose keys are read once for the group, and
against the completion's own keys, which stand in a buffer; both have one softmax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
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
        layers: Keys and values of the prompts in each layer, each of shape (prompts, heads, longest
            prompt, head dimension), padded on the right.
        lengths: Tokens of each prompt.
        completions: Completions of each prompt. The batch has those of the first prompt first.
    """

    def __init__(
        self,
        layers: Iterable[tuple[torch.Tensor, torch.Tensor]],
        lengths: Sequence[int],
        completions: Sequence[int],
    ) -> None:
        super().__init__()
        self.layers = [_Layer(*layer, completions=sum(completions)) for layer in layers]
        self._blocks = list(_divide(completions, lengths, like=self.layers[0].prompt_keys))

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
        heads, tokens = own.completion_keys.shape[1], query.shape[2]
        queries = (query * scale).unflatten(1, (heads, -1)).flatten(2, 3)
        seen = [block.attend(queries[block.rows], own, tokens) for block in self._blocks]
        joined = seen[0] if len(seen) == 1 else torch.cat(seen)
        return joined.unflatten(2, (-1, tokens)).flatten(1, 2).transpose(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Neighbouring prompts with equally many completions."""

    prompts: slice
    rows: slice
    """Their completions in the batch."""
    padding: torch.Tensor | None
    """What is added to the scores of the prompts' tokens, minus infinity where they are padding;
    shape (prompts * heads, 1, tokens). None: there is no padding."""

    def attend(self, queries: torch.Tensor, layer: _Layer, tokens: int) -> torch.Tensor:
        """Return the attention outputs of completions over their prompts and their own tokens.

        Args:
            queries: Shape (completions, heads of keys, queries per head, head dimension).
            layer: Keys and values.
            tokens: Newest tokens of each completion; the last axis but one of `queries` has those
                of a head side by side.

        Returns:
            A tensor of the same shape.
        """
        prompts = self.prompts.stop - self.prompts.start
        keys, values, own_keys, own_values = (
            part.flatten(0, 1)
            for part in (
                layer.prompt_keys[self.prompts],
                layer.prompt_values[self.prompts],
                layer.completion_keys[self.rows],
                layer.completion_values[self.rows],
            )
        )
        by_prompt = queries.unflatten(0, (prompts, -1)).transpose(1, 2)
        shape = by_prompt.shape[:-1]  # prompts, heads, completions of a prompt, queries
        asked = by_prompt.flatten(2, 3).flatten(0, 1)
        if self.padding is None:
            of_prompt = torch.bmm(asked, keys.transpose(1, 2))
        else:
            of_prompt = torch.baddbmm(self.padding, asked, keys.transpose(1, 2))
        of_own = torch.bmm(queries.flatten(0, 1), own_keys.transpose(1, 2))
        if tokens > 1:
            of_own = of_own.masked_fill(_later(of_own, tokens), float("-inf"))
        length = keys.shape[1]
        scores = torch.cat(
            [
                of_prompt.view(*shape, length),
                of_own.unflatten(0, (prompts, -1, shape[1])).transpose(1, 2),
            ],
            dim=4,
        )
        shares = scores.softmax(dim=4, dtype=torch.float32).to(queries.dtype)
        seen = torch.bmm(shares[..., :length].flatten(2, 3).flatten(0, 1), values)
        seen_own = torch.bmm(shares[..., length:].transpose(1, 2).flatten(0, 2), own_values)
        return seen.view(*shape, -1).transpose(1, 2).flatten(0, 1) + seen_own.view(queries.shape)


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


def _divide(
    completions: Sequence[int], lengths: Sequence[int], *, like: torch.Tensor
) -> Iterator[_Block]:
    """Divide prompts into blocks of neighbours with equally many completions.

    Args:
        completions: Completions of each prompt.
        lengths: Tokens of each prompt.
        like: Keys of the prompts in a layer.
    """
    heads, longest = like.shape[1:3]
    prompt = row = 0
    for count, same in groupby(completions):
        own = lengths[prompt : prompt + len(list(same))]
        padding = None
        if min(own) < longest:
            padding = like.new_zeros(len(own), longest)
            for at, length in enumerate(own):
                padding[at, length:] = float("-inf")
            padding = padding.repeat_interleave(heads, dim=0)[:, None]
        yield _Block(
            prompts=slice(prompt, prompt + len(own)),
            rows=slice(row, row + len(own) * count),
            padding=padding,
        )
        prompt, row = prompt + len(own), row + len(own) * count


def _later(scores: torch.Tensor, tokens: int) -> torch.Tensor:
    """Return which keys come after a token, of several that are computed at once.

    Args:
        scores: Shape (..., queries per head, keys); the newest tokens are the last keys.
        tokens: Newest tokens; a head's queries are all of them for its first query head, then all
            for the next one.
    """
    queries, keys = scores.shape[-2:]
    later = torch.ones(tokens, keys, dtype=torch.bool, device=scores.device)
    return later.triu(keys - tokens + 1).repeat(queries // tokens, 1)
