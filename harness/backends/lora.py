"""LoRA adapters in vLLM: what it can load, and what it would silently leave out.

vLLM adapts the language model. Weights of an adapter for the vision tower are dropped without a
word, and the answers are those of a model that nobody trained, so such an adapter is refused.
"""

from __future__ import annotations

from typing import Any

from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.models.weights import ADAPTER_WEIGHTS, read_tensors

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks vLLM reserves memory for."""
SAVED_PREFIX = "base_model.model."
"""What peft puts before the names of the base model's modules."""


def reserved_rank(checkpoint: Checkpoint) -> int:
    """Return the smallest rank vLLM offers that holds the adapter."""
    return next((rank for rank in RANKS if rank >= checkpoint.lora_rank), RANKS[-1])


def request(checkpoint: Checkpoint) -> Any:
    """Return what names the adapter in every vLLM request; None without one."""
    if checkpoint.adapter is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, str(checkpoint.adapter))


def refuse_partial(checkpoint: Checkpoint) -> None:
    """Raise `BackendError` for an adapter of anything but the language model."""
    if checkpoint.adapter is None:
        return
    prefix = SAVED_PREFIX + _language_model(checkpoint)
    names = read_tensors(checkpoint.adapter / ADAPTER_WEIGHTS)
    outside = [name for name in names if not name.startswith(prefix)]
    if outside:
        raise BackendError(
            f"{checkpoint.adapter} adapts more than the language model ({outside[0]} and"
            f" {len(outside) - 1} more), which vLLM would leave out; use the transformers backend,"
            " or merge the adapter into its base model"
        )


def _language_model(checkpoint: Checkpoint) -> str:
    """Find the language model's name inside the checkpoint's model, built without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(checkpoint.path)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    decoder = model.get_decoder()
    names: list[str] = [name for name, module in model.named_modules() if module is decoder]
    return f"{names[0]}."
