"""Sampling completions with the policy itself, through transformers.

Ordered and shuffled prompts go into one call, and each distinct one is encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from trainer.loops import (
    collate,
    forward,
)
from trainer.loops.inputs import PromptInputs
from trainer.loops.trl_names import unwrap_model_for_generation

Sampled = tuple[list[list[int]], list[list[float]] | None]
"""Completion ids, each through the token that ended it, and the log-probability of each token
where the sampler is not the model that is trained."""


class Rollouts(Protocol):
    """What samples completions for a trainer."""

    reports_logps: bool
    """Whether `sample` returns log-probabilities, since the sampler is another engine."""

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row; a row may be listed many times."""

    def close(self) -> None:
        """Free what the sampler holds."""


class PolicyRollouts:
    """Samples with the model that is trained, as TRL does."""

    reports_logps = False

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, all rows at once."""
        prompts = [row.ids for row in rows]
        device = trainer.accelerator.device
        ids = collate.padded(prompts, trainer._tokenizer.pad_token_id, left=True, device=device)
        inputs = {
            "input_ids": ids,
            "attention_mask": collate.mask_of(prompts, left=True, device=device),
            "mm_token_type_ids": collate.token_types(ids, trainer.vision_ids),
            **collate.media_tensors(rows, device=device),
        }
        arguments = trainer.args
        with (
            unwrap_model_for_generation(
                trainer.model_wrapped,
                trainer.accelerator,
                gather_deepspeed3_params=arguments.ds3_gather_for_generation,
                generation_kwargs=trainer.generation_kwargs,
                gradient_checkpointing_kwargs=arguments.gradient_checkpointing_kwargs,
            ) as model,
            torch.no_grad(),
            trainer.accelerator.autocast(),
            trainer._dist.summon_full_params(trainer.model_wrapped, recurse=False),
        ):
            output = model.generate(
                **forward.encode(model, inputs),
                generation_config=trainer.generation_config,
            )
        return [
            through_end(row, trainer.eos_token_ids) for row in output[:, ids.shape[1] :].tolist()
        ], None

    def close(self) -> None:
        """Hold nothing."""


def through_end(ids: list[int], ends: Sequence[int]) -> list[int]:
    """Cut a completion behind the token that ended it."""
    stop = next((at for at, token in enumerate(ids, 1) if token in ends), None)
    return ids[:stop]
