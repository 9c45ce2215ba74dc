"""Check the layers that a LoRA adapter is put on, before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import UsageError
from harness.models.weights import read_tensors, weight_files
from trainer.config.sections import LoraSettings
from trainer.cost.model_shape import linear_layers


def read_layers(folder: Path) -> list[str]:
    """Return the linear layers of the language model in a checkpoint, from its weights' headers."""
    return linear_layers(
        {
            name: tuple(tensor.shape)
            for path in weight_files(folder)
            for name, tensor in read_tensors(path).items()
        }
    )


def check_targets(lora: LoraSettings, layers: Iterable[str]) -> None:
    """Raise `UsageError` where a target is the name of no layer.

    Args:
        lora: The adapter.
        layers: Full names of the linear layers; a target is the end of one.
    """
    known = [f".{layer}" for layer in layers]
    for target in lora.target_modules:
        if not target or not any(layer.endswith(f".{target}") for layer in known):
            names = ", ".join(sorted({layer.rpartition(".")[2] for layer in known}))
            raise UsageError(
                f"model.lora.target_modules: the language model has no linear layer {target!r};"
                f" it has {names or 'none'}"
            )
    if not lora.target_modules:
        raise UsageError("model.lora.target_modules: expected at least one layer, got none")
