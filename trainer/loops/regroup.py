"""Bring the completions of a prompt together in the parts of a batch.

TRL shuffles a batch of completions before it divides it into the parts of an update
(``gradient_accumulation_steps``), so that every part would have most prompts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from trainer.loops.shared_prompts import distinct_rows

_log = logging.getLogger(__name__)


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


def warn_of_repeats(trainer: Any) -> None:
    """Log why a trainer that shares prompts computes some more than once in the policy pass."""
    if trainer.aux_loss_enabled:
        _log.warning(
            "the policy pass computes a prompt once per completion: the router loss of a mixture of"
            " experts counts the tokens of every row; trl.router_aux_loss_coef = 0 leaves that loss"
            " out, and shares prompts"
        )
    arguments, group = trainer.args, trainer.num_generations
    size, parts = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
    prompts, rest = divmod(size * parts, group)
    passes = count_prompts(size, parts, group)
    if passes > prompts and not rest:
        _log.warning(
            "the policy pass computes %d prompts for the %d of an update, since its parts of %d"
            " completions cut groups of %d; where memory allows it,"
            " optim.per_device_train_batch_size = %d with optim.gradient_accumulation_steps = %d is"
            " the same update and computes each once",
            passes, prompts, size, group, group, prompts,
        )  # fmt: skip


def count_prompts(size: int, parts: int, group: int) -> int:
    """Return how many prompts the parts of a batch have in all, each counted once per part.

    Args:
        size: Completions of a part.
        parts: Parts of a batch.
        group: Completions of a prompt.
    """
    starts = range(0, size * parts, size)
    return sum((start + size - 1) // group - start // group + 1 for start in starts)


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
