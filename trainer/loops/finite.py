"""Stop a training at its first update that is not finite, before anything is saved of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from harness.errors import CheckpointError, HarnessError
from trainer.runs.checkpoints import describe_newest


class DivergedError(HarnessError):
    """Loss, gradient norm or weights of an update are not finite."""


class FiniteUpdates:
    """Mixin for a `transformers.Trainer` class: raises behind an update that is not finite.

    The Trainer calls `_maybe_log_save_evaluate` once behind every update and before it saves. Its
    argument ``logging_nan_inf_filter`` has to be off: it would hide the loss.
    """

    args: Any
    state: Any
    accelerator: Any

    def _maybe_log_save_evaluate(
        self, tr_loss: Any, grad_norm: Any, model: Any, *rest: Any, **options: Any
    ) -> None:
        """Check the update, then log and save as the Trainer does.

        Raises:
            DivergedError: In all processes, where one of them has a value that is not finite.
        """
        lacks = _describe_update(tr_loss, grad_norm, model)
        if self._of_any_process(lacks is not None):
            lacks = lacks or "another process has a loss, gradient or weights that are not finite"
            raise DivergedError(
                f"update {self.state.global_step}: {lacks}; nothing of it is saved,"
                f" {describe_newest(Path(self.args.output_dir))}. A resumed run comes to the same"
                " update: train in another folder with a lower optim.learning_rate, a lower"
                " optim.max_grad_norm or more optim.warmup_steps"
            )
        trainer: Any = super()
        trainer._maybe_log_save_evaluate(tr_loss, grad_norm, model, *rest, **options)

    def _of_any_process(self, found: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return found
        flag = torch.tensor([int(found)], device=self.accelerator.device)
        return bool(self.accelerator.gather(flag).any())


def require_finite(weights: Iterable[tuple[str, Any]], place: Path) -> None:
    """Raise `CheckpointError` if a floating-point weight of a loaded checkpoint is not finite."""
    name = first_not_finite(weights)
    if name is not None:
        raise CheckpointError(
            f"{place}: weight {name} is not finite (NaN or infinity); use another checkpoint"
        )


def first_not_finite(weights: Iterable[tuple[str, Any]]) -> str | None:
    """Return the name of the first weight with a NaN or an infinity, None where there is none."""
    checked = [
        (name, torch.isfinite(_local(weight)).all())
        for name, weight in weights
        if weight.is_floating_point()
    ]
    if not checked or bool(torch.stack([sound.cpu() for _, sound in checked]).all()):
        return None
    return next(name for name, sound in checked if not bool(sound))


def _describe_update(loss: Any, grad_norm: Any, model: Any) -> str | None:
    """Say what of an update is not finite; None where all is."""
    for name, value in (("the loss", loss), ("the gradient norm", grad_norm)):
        if value is not None and not math.isfinite(float(value)):
            return f"{name} is {float(value)}"
    trained = ((name, one) for name, one in model.named_parameters() if one.requires_grad)
    weight = first_not_finite((name, one.detach()) for name, one in trained)
    return None if weight is None else f"weight {weight} is not finite"


def _local(weight: Any) -> Any:
    """Return this process's part of a weight that FSDP has sharded, or the whole weight."""
    return weight.to_local() if hasattr(weight, "to_local") else weight
