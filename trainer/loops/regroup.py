"""Bring the completions of a prompt together in the parts of a batch.

TRL shuffles a batch of completions before it divides it into the parts of an update
(``gradient_accumulation_steps``), so that every part would have most prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from trainer.loops.shared_prompts import distinct_rows


def gather_prompts(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return equal parts of the same completions, those of a prompt next to each other.

    Args:
        parts: TRL's parts: tensors and lists with one entry per completion, tensors without an axis
            that belong to the whole batch, and None. ``rows`` has the prompts.

    Returns:
        Parts of the same size. Prompts, and completions of a prompt, keep their order.
    """
    _, prompt_of = distinct_rows([row for part in parts for row in part["rows"]])
    order = sorted(range(len(prompt_of)), key=prompt_of.__getitem__)
    size = len(order) // len(parts)
    whole = {name: _join([part[name] for part in parts]) for name in parts[0]}
    return [
        {name: _pick(value, order[at : at + size]) for name, value in whole.items()}
        for at in range(0, len(order), size)
    ]


def _join(values: Sequence[Any]) -> Any:
    if isinstance(values[0], list):
        return [one for value in values for one in value]
    return torch.cat(list(values)) if _is_per_completion(values[0]) else values[0]


def _pick(values: Any, places: Sequence[int]) -> Any:
    if isinstance(values, list):
        return [values[place] for place in places]
    return values[list(places)] if _is_per_completion(values) else values


def _is_per_completion(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim > 0
