"""Count the operations of an update, for the share of the device's peak that it reaches (MFU).

Counted are the matrix products of the layers, of what this process computes: 2 per weight and token
forward, 2 for the gradient of the inputs and 2 for that of the weights where these are trained
(arXiv 2204.02311, appendix B, without its term for attention; LM head, optimizer and what gradient
checkpointing computes twice are left out, too). So the share is a lower bound. What vLLM samples is
not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trainer.cost.gpu_peaks import find_peak


class WorkCounter:
    """Counts the operations of the language model and the vision tower of some models."""

    def __init__(self, *models: Any) -> None:
        self._flops: list[Any] = []
        """Numbers, and tensors of one number, which are read at the end of an update."""
        for model in models:
            for part in _find_parts(model):
                part.register_forward_pre_hook(_Counter(part, self._flops), with_kwargs=True)

    def take(self) -> float:
        """Return the operations since the last call."""
        total = sum(float(one) for one in self._flops)
        self._flops.clear()
        return total


def device_peak(trainer: Any) -> float | None:
    """Return the peak of the device that a trainer computes on; None where it is not known.

    Peaks are those of bfloat16.
    """
    if trainer.accelerator.device.type != "cuda" or not trainer.args.bf16:
        return None
    return find_peak(torch.cuda.get_device_name(trainer.accelerator.device))


class _Counter:
    """A hook that adds the operations of one forward pass of a part, and of its backward pass."""

    def __init__(self, part: Any, flops: list[Any]) -> None:
        weights = [one for name, one in part.named_parameters() if "embed_tokens" not in name]
        self._forward = 2 * sum(map(_size, weights))
        own = 2 * sum(_size(one) for one in weights if one.requires_grad)
        self._backward = self._forward + own
        self._is_trained = own > 0
        self._flops = flops

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states = kwargs.get("inputs_embeds", args[0] if args else kwargs.get("hidden_states"))
        if states is None:
            states = kwargs.get("input_ids")
            if states is None:
                return
            states = states[..., None]
        learns = torch.is_grad_enabled() and (self._is_trained or states.requires_grad)
        per_token = self._forward + (self._backward if learns else 0)
        self._flops.append(per_token * _count_tokens(states, kwargs.get("attention_mask")))


def _count_tokens(states: Any, mask: Any) -> Any:
    """Return the tokens of states of shape (..., width), without padding where a mask names it."""
    shape = states.shape[:-1]
    if torch.is_tensor(mask) and mask.shape == shape:
        return (mask != 0).sum().double()
    return shape.numel()


def _find_parts(model: Any) -> Iterator[Any]:
    """Yield the language model and the vision tower of a model, whatever wraps them."""
    for wanted in ("language_model", "visual"):
        for name, module in model.named_modules():
            if name.rpartition(".")[2] == wanted:
                yield module
                break


def _size(weight: Any) -> int:
    return int(getattr(weight, "ds_numel", weight.numel()))  # DeepSpeed's shards say their whole
