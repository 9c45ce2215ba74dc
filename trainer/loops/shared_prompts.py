"""Pack a batch so that every prompt stands in it once, in front of all of its completions.

A packed row has the tokens of the distinct prompts, then those of the completions, without any
padding. A completion attends to its prompt and to itself, and its positions go on from the largest
one of its prompt: it gets the log-probabilities that it has behind a copy of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from trainer.loops.collate import media_tensors, padded, token_types
from trainer.loops.inputs import PromptInputs
from trainer.loops.kept_features import KeptFeatures

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedPrompts:
    """Where the prompts and the completions of a packed row are."""

    prompt_lengths: tuple[int, ...]
    """Tokens of each distinct prompt; the prompts come first in the row."""
    completion_lengths: tuple[int, ...]
    """Tokens of each completion; 0 where none counts. Empty: the row has prompts alone."""
    prompt_of: torch.Tensor
    """Number of the prompt of each completion, shape (completions,)."""
    visible: torch.Tensor
    """Which of its keys, the prompt's and its own, a token of a completion attends to; shape
    (completions or 1, 1, longest completion, longest prompt + longest completion)."""
    predicting: torch.Tensor
    """Places of the tokens that predict the completions' tokens: the last one of the prompt, then
    the completion's own; shape (completions, columns of the batch)."""

    def pad(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split values of the row's tokens, shape (tokens, ...), into prompts and completions.

        Returns:
            Two tensors, padded with zeros on the right: (prompts, longest prompt, ...) and
            (completions, longest completion, ...).
        """
        from torch.nn.utils.rnn import pad_sequence

        parts = tokens.split([*self.prompt_lengths, *self.completion_lengths])
        count = len(self.prompt_lengths)
        prompts = pad_sequence(parts[:count], batch_first=True)
        if not self.completion_lengths:
            return prompts, tokens.new_empty(0, 0, *tokens.shape[1:])
        return prompts, pad_sequence(parts[count:], batch_first=True)

    def unpad(self, prompts: torch.Tensor, completions: torch.Tensor) -> torch.Tensor:
        """Return the values of the row's tokens, shape (tokens, ...): the inverse of `pad`."""
        import torch

        both = (prompts, self.prompt_lengths), (completions, self.completion_lengths)
        return torch.cat([one[:n] for part, ns in both for one, n in zip(part, ns, strict=True)])

    def continue_positions(self, of_prompts: torch.Tensor) -> torch.Tensor:
        """Return the positions of the packed row.

        Args:
            of_prompts: Positions of the prompts, padded on the right, shape (3, prompts, longest).

        Returns:
            A tensor of shape (3, 1, tokens).
        """
        import torch

        parts = [of_prompts[:, at, :length] for at, length in enumerate(self.prompt_lengths)]
        ends = [int(part.max()) + 1 for part in parts]
        for prompt, length in zip(self.prompt_of.tolist(), self.completion_lengths, strict=True):
            own = torch.arange(length, device=of_prompts.device) + ends[prompt]
            parts.append(own.expand(3, -1))
        return torch.cat(parts, dim=1)[:, None]


def distinct_rows(rows: Sequence[PromptInputs]) -> tuple[list[PromptInputs], list[int]]:
    """Return the distinct prompts of a batch, and for every row the number of its prompt."""
    numbers: dict[int, int] = {}
    for row in rows:
        numbers.setdefault(id(row), len(numbers))
    first = {id(row): row for row in rows}
    return list(first.values()), [numbers[id(row)] for row in rows]


def lay_out(
    prompt_lengths: Sequence[int],
    prompt_of: Sequence[int],
    completion_lengths: Sequence[int],
    *,
    columns: int,
    device: Any = None,
) -> SharedPrompts:
    """Return the places of the tokens of prompts and completions in a packed row.

    Args:
        prompt_lengths: Tokens of each distinct prompt.
        prompt_of: Number of the prompt of each completion.
        completion_lengths: Tokens of each completion; 0 where none counts.
        columns: Columns of the batch of completions, at least the longest one.
        device: Where the tensors go.
    """
    import torch

    starts = [0, *accumulate([*prompt_lengths, *completion_lengths])]
    predicting = [
        [starts[prompt] + prompt_lengths[prompt] - 1, *range(at, at + length - 1)][:length]
        for prompt, at, length in zip(
            prompt_of, starts[len(prompt_lengths) :], completion_lengths, strict=False
        )
    ]
    visible = _visible_keys(
        [prompt_lengths[prompt] for prompt in prompt_of],
        max(prompt_lengths),
        max(completion_lengths),
    )
    return SharedPrompts(
        prompt_lengths=tuple(prompt_lengths),
        completion_lengths=tuple(completion_lengths),
        prompt_of=torch.tensor(prompt_of).to(device),
        visible=visible.to(device),
        predicting=padded(predicting, 0, least=columns).to(device),
    )


def lay_out_prompts(lengths: Sequence[int], device: Any = None) -> SharedPrompts:
    """Return the places in a packed row of prompts alone, which predicts nothing."""
    import torch

    return SharedPrompts(
        prompt_lengths=tuple(lengths),
        completion_lengths=(),
        prompt_of=torch.empty(0, dtype=torch.long, device=device),
        visible=torch.empty(0, 1, 0, max(lengths), dtype=torch.bool, device=device),
        # The head computes one token, not none, which not every kernel accepts.
        predicting=torch.zeros(1, 1, dtype=torch.long, device=device),
    )


def pack(
    rows: Sequence[PromptInputs],
    completions: torch.Tensor,
    mask: torch.Tensor,
    vision_ids: dict[str, int],
    kept: KeptFeatures | None = None,
) -> tuple[SharedPrompts, dict[str, Any]]:
    """Return a packed row and the model's arguments for it.

    Args:
        rows: The prompt of each completion, the same object where it is the same prompt.
        completions: Token ids, padded on the right, shape (completions, columns).
        mask: 1 for tokens that count, 0 for padding and for completions that are left out.
        vision_ids: The placeholder token of each modality.
        kept: Vision features; where they are known the arguments have no pixels.
    """
    import torch

    distinct, prompt_of = distinct_rows(rows)
    lengths = mask.sum(dim=1).tolist()
    shared = lay_out(
        [len(row.ids) for row in distinct],
        prompt_of,
        lengths,
        columns=completions.shape[1],
        device=completions.device,
    )
    prompts = torch.tensor([token for row in distinct for token in row.ids])
    ids = torch.cat([prompts.to(completions.device), completions[mask.bool()]])[None]
    return shared, {
        "input_ids": ids,
        "mm_token_type_ids": token_types(ids, vision_ids),
        **media_tensors(distinct, device=completions.device, kept=kept),
    }


def _visible_keys(prompt_lengths: Sequence[int], longest: int, own: int) -> torch.Tensor:
    """Return `SharedPrompts.visible`; one table for all where all prompts are equally long."""
    import torch

    lengths = prompt_lengths[:1] if len(set(prompt_lengths)) == 1 else prompt_lengths
    of_prompt = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    causal = torch.ones(own, own, dtype=torch.bool).tril()
    return torch.cat(
        [
            of_prompt[:, None, None].expand(-1, 1, own, -1),
            causal[None, None].expand(len(lengths), 1, -1, -1),
        ],
        dim=-1,
    )
