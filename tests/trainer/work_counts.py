"""Count what a model computes in a pass: prompts through its language model, media encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from trainer.loops.shared_attention import NAME


@dataclass(slots=True)
class WorkCounts:
    """What went through a model, one entry per call."""

    prompts: list[int] = field(default_factory=list)
    """Prompts of each pass of the language model over more than one token."""
    tokens: list[int] = field(default_factory=list)
    """Tokens of each of these passes."""
    with_gradient: list[bool] = field(default_factory=list)
    """Whether they are for an update."""
    media: list[int] = field(default_factory=list)
    """Videos and images of each call of the vision tower."""
    patches: list[int] = field(default_factory=list)
    """Their patches."""


@contextmanager
def count_work(*models: Any) -> Iterator[WorkCounts]:
    """Count the calls of Qwen-VL models; `models` are not wrapped by anything but peft."""
    counts = WorkCounts()

    def see_language(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        rows, columns = kwargs["inputs_embeds"].shape[:2]
        if columns > 1:
            shared = kwargs.get(NAME)
            counts.prompts.append(rows if shared is None else len(shared.prompt_lengths))
            counts.tokens.append(rows * columns)
            counts.with_gradient.append(torch.is_grad_enabled())

    def see_vision(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        grids = kwargs["grid_thw"] if "grid_thw" in kwargs else args[1]
        counts.media.append(len(grids))
        counts.patches.append(len(args[0] if args else kwargs["hidden_states"]))

    hooks = []
    for model in models:
        backbone = getattr(model, "get_base_model", lambda model=model: model)().base_model
        for module, see in ((backbone.language_model, see_language), (backbone.visual, see_vision)):
            hooks.append(module.register_forward_pre_hook(see, with_kwargs=True))
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()
