"""Checks and names LoRA adapters for vLLM.

vLLM applies adapters to the language model only and drops other weights (vision tower) without a
message. The answers would come from a partly applied adapter, so such an adapter is refused.
"""

from __future__ import annotations

from typing import Any

from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.models.weights import ADAPTER_WEIGHTS, read_tensors

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM accepts for `max_lora_rank`."""
SAVED_PREFIX = "base_model.model."
"""Prefix of the base model's module names in adapters that peft saves."""


def reserved_rank(checkpoint: Checkpoint) -> int:
    """Return the smallest `max_lora_rank` that is enough for the adapter."""
    return next((rank for rank in RANKS if rank >= checkpoint.lora_rank), RANKS[-1])


def request(checkpoint: Checkpoint) -> Any:
    """Return vLLM's `LoRARequest` for the adapter; None without one."""
    if checkpoint.adapter is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, str(checkpoint.adapter))


def refuse_partial(checkpoint: Checkpoint) -> None:
    """Raise `BackendError` for an adapter with weights outside the language model."""
    if checkpoint.adapter is None:
        return
    prefix = SAVED_PREFIX + _language_model(checkpoint)
    names = read_tensors(checkpoint.adapter / ADAPTER_WEIGHTS)
    outside = [name for name in names if not name.startswith(prefix)]
    if outside:
        raise BackendError(
            f"{checkpoint.adapter} adapts more than the language model ({outside[0]} and"
            f" {len(outside) - 1} more), which vLLM would ignore; use the transformers backend,"
            " or merge the adapter into its base model"
        )


def _language_model(checkpoint: Checkpoint) -> str:
    """Return the prefix of the language model's modules, from a model built without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(checkpoint.path)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    decoder = model.get_decoder()
    names: list[str] = [name for name, module in model.named_modules() if module is decoder]
    return f"{names[0]}."
