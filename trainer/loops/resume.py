"""Resuming from the newest checkpoint, with its weights restored, or saying that it cannot be.

A Qwen2.5-VL checkpoint stores its weights under older names than the model in memory has.
Transformers' Trainer matches names as they are and not strictly, so it restores optimizer, step and
random state and goes on with the starting weights (ms-swift #7947 is the same). Loading through
``from_pretrained`` translates the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from harness.errors import CheckpointError
from trainer.saved import newest_checkpoint


class ExactResume:
    """Mixin before a `transformers.Trainer` class."""

    model: Any

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load what the Trainer would load, by the right names.

        Adapters and the sharded formats of FSDP and DeepSpeed keep the names of the model in
        memory; their own loading is right.
        """
        trainer: Any = super()
        sharded = getattr(self, "is_fsdp_enabled", False) or getattr(
            self, "is_deepspeed_enabled", False
        )
        if sharded or hasattr(self.model, "peft_config"):
            trainer._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            restore_weights(self.model, Path(resume_from_checkpoint))


def train_on(trainer: Any, out: Path) -> None:
    """Train from the newest whole checkpoint in `out`, from the start where there is none."""
    newest = newest_checkpoint(out)
    trainer.train(resume_from_checkpoint=None if newest is None else str(newest))


def restore_weights(model: Any, folder: Path) -> None:
    """Give `model` exactly the weights that were saved in `folder`.

    Raises:
        CheckpointError: The folder lacks weights, or holds others.
    """
    saved, report = type(model).from_pretrained(
        str(folder), dtype=model.dtype, output_loading_info=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            names = sorted(str(name) for name in report[kind])
            raise CheckpointError(
                f"{folder} cannot be resumed from: {len(names)} {kind.replace('_', ' ')}, first"
                f" {names[0]}; resume from another checkpoint"
            )
    with torch.no_grad():
        model.load_state_dict(saved.state_dict(), strict=True)
