"""Sample completions with the policy itself, through transformers.

Ordered and shuffled prompts are sampled in one call, and each distinct one is encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from trainer.loops import collate, forward
from trainer.loops.inputs import PromptInputs
from trainer.loops.trl_names import unwrap_model_for_generation

Sampled = tuple[list[list[int]], list[list[float]] | None]
"""Token ids of each completion, including its end token, and the log-probability of each token
where the sampler is another engine than the trained model."""


class Rollouts(Protocol):
    """The sampler interface: returns completions of prompts."""

    reports_logps: bool
    """Whether `sample` returns log-probabilities."""

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row; a row may occur several times."""

    def close(self) -> None:
        """Free the memory of the sampler."""


class PolicyRollouts:
    """Samples with the trained model, as TRL does."""

    reports_logps = False

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, all rows in one batch."""
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
            cut_after_end(row, trainer.eos_token_ids) for row in output[:, ids.shape[1] :].tolist()
        ], None

    def close(self) -> None:
        """Do nothing: the model belongs to the trainer."""


def cut_after_end(ids: list[int], ends: Sequence[int]) -> list[int]:
    """Return a completion up to and including its first end token."""
    stop = next((at for at, token in enumerate(ids, 1) if token in ends), None)
    return ids[:stop]
