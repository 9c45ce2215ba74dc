"""Compute the likelihood of sampled completions behind prompts that they were not sampled from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from accelerate.utils import gather_object

from trainer.loops import collate
from trainer.loops.inputs import PromptInputs
from trainer.loops.shared_prompts import distinct_rows

if TYPE_CHECKING:
    import torch

    from trainer.loops.rollout_trainer import RolloutTrainer


def completion_logps(
    trainer: RolloutTrainer,
    prompts: Sequence[PromptInputs],
    completions: Sequence[Sequence[int]],
) -> list[torch.Tensor]:
    """Return the log-probability of each token of each completion, without a gradient.

    Completions of one prompt share it, as in the passes of an update, and a pass takes whole
    prompts. Call it in all processes: where weights are sharded they make the same passes.

    Args:
        trainer: Whose policy, without dropout.
        prompts: The prompt of each completion, the same object where it is the same prompt.
        completions: Token ids.
    """
    import torch

    parts = split_by_prompt(prompts, _completions_per_pass(trainer))
    passes = max(gather_object([len(parts)]))
    found: dict[int, torch.Tensor] = {}
    with torch.no_grad(), _without_dropout(trainer.model):
        for number in range(passes):
            part = parts[number] if number < len(parts) else []
            # A process without completions of its own passes a prompt and keeps nothing.
            rows = [prompts[at] for at in part] or trainer.current_rows[:1]
            said = [completions[at] for at in part] or [[trainer.eos_token_ids[0]]]
            logps = _logps_of_pass(trainer, rows, said)
            found.update({at: logps[i, : len(completions[at])] for i, at in enumerate(part)})
    return [found[at] for at in range(len(prompts))]


def _logps_of_pass(
    trainer: RolloutTrainer,
    prompts: Sequence[PromptInputs],
    completions: Sequence[Sequence[int]],
) -> torch.Tensor:
    """Return the log-probabilities of one pass, shape (completions, longest completion)."""
    import torch

    shown, pad = [prompt.ids for prompt in prompts], trainer._tokenizer.pad_token_id
    ids = [collate.padded(shown, pad, left=True), collate.padded(completions, pad)]
    mask = [collate.mask_of(shown, left=True), collate.mask_of(completions)]
    device, columns = trainer.accelerator.device, max(map(len, completions))
    with trainer.with_rows(prompts):
        logps, *_ = trainer._get_per_token_logps_and_entropies(
            trainer.model, torch.cat(ids, dim=1).to(device), torch.cat(mask, dim=1).to(device),
            columns,
        )  # fmt: skip
    found: torch.Tensor = logps
    return found


def split_by_prompt(prompts: Sequence[Any], limit: int) -> list[list[int]]:
    """Divide completions into parts of at most `limit`, with those of a prompt in one part.

    A prompt with more completions than `limit` is a part of its own.

    Args:
        prompts: The prompt of each completion.
        limit: Completions of a part.

    Returns:
        The indices of the completions of each part.
    """
    _, prompt_of = distinct_rows(prompts)
    groups: dict[int, list[int]] = {}
    for at, prompt in enumerate(prompt_of):
        groups.setdefault(prompt, []).append(at)
    parts: list[list[int]] = []
    for group in groups.values():
        if parts and len(parts[-1]) + len(group) <= limit:
            parts[-1] += group
        else:
            parts.append(list(group))
    return parts


def _completions_per_pass(trainer: RolloutTrainer) -> int:
    """Return the completions of a pass without a gradient: a part of an update, in whole groups."""
    part, size = int(trainer.args.per_device_train_batch_size), int(trainer.num_generations)
    return part + -part % size


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    """Let the dropout of adapters not differ between two prompts that are compared."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)
