"""Sample completions with the policy itself, through transformers.

Ordered and shuffled prompts are sampled in one call, and each distinct one is encoded once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from trainer.loops import collate, forward
from trainer.loops.decoder import Decoder, find_obstacle
from trainer.loops.inputs import PromptInputs
from trainer.loops.prefill import Prefilled, prefill, sampling_order
from trainer.loops.trl_names import unwrap_model_for_generation

_log = logging.getLogger(__name__)

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
    """Samples with the trained model, as TRL does.

    Args:
        share_prompt: Whether each distinct prompt goes through the model once, for all of its
            completions, or once for each of them.
    """

    reports_logps = False

    def __init__(self, *, share_prompt: bool) -> None:
        self._share_prompt = share_prompt
        self._warned = False

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, all rows in one batch."""
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
            sample = self._sample_shared if self._share_prompt else _sample_copies
            completions = sample(trainer, model, rows)
        return [cut_after_end(ids, trainer.eos_token_ids) for ids in completions], None

    def close(self) -> None:
        """Do nothing: the model belongs to the trainer."""

    def _sample_shared(
        self, trainer: Any, model: Any, rows: Sequence[PromptInputs]
    ) -> list[list[int]]:
        order = sampling_order(rows)
        prompts = prefill(
            model,
            [rows[at] for at in order],
            trainer.vision_ids,
            pad_id=trainer._tokenizer.pad_token_id,
            device=trainer.accelerator.device,
            kept=trainer.kept_features,
        )
        loop = self._choose_loop(model, prompts)
        sampled = dict(zip(order, _generate(trainer, model, prompts.inputs, loop), strict=True))
        return [sampled[at] for at in range(len(rows))]

    def _choose_loop(self, model: Any, prompts: Prefilled) -> Decoder | None:
        """Return our loop; None: transformers' own one, and say why where prompts are shared."""
        if prompts.cache is None:
            return None
        if (reason := find_obstacle(model)) is None:
            return Decoder(prompts.cache, prompts.positions)
        if not self._warned:
            self._warned = True
            _log.warning("completions are sampled by transformers' own, slower loop: %s", reason)
        return None


def _sample_copies(trainer: Any, model: Any, rows: Sequence[PromptInputs]) -> list[list[int]]:
    """Sample with a copy of its prompt for every completion."""
    device, pad_id = trainer.accelerator.device, trainer._tokenizer.pad_token_id
    prompts = [row.ids for row in rows]
    ids = collate.padded(prompts, pad_id, left=True, device=device)
    inputs = {
        "input_ids": ids,
        "attention_mask": collate.mask_of(prompts, left=True, device=device),
        "mm_token_type_ids": collate.token_types(ids, trainer.vision_ids),
        **collate.media_tensors(rows, device=device, kept=trainer.kept_features),
    }
    return _generate(trainer, model, forward.encode(model, inputs))


def _generate(
    trainer: Any, model: Any, inputs: dict[str, Any], loop: Decoder | None = None
) -> list[list[int]]:
    """Return completions, padded on the right, of transformers' loop or ours."""
    output = model.generate(
        **inputs, generation_config=trainer.generation_config, custom_generate=loop
    )
    completions: list[list[int]] = output[:, inputs["input_ids"].shape[1] :].tolist()
    return completions


def cut_after_end(ids: list[int], ends: Sequence[int]) -> list[int]:
    """Return a completion up to and including its first end token."""
    stop = next((at for at, token in enumerate(ids, 1) if token in ends), None)
    return ids[:stop]
