"""Log where the time of an update goes: rollout, passes, optimizer, waiting for data.

The times of the first process are logged as ``time/PHASE``, in seconds per update.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from transformers import TrainerCallback

from trainer.loops.phase_clock import (
    BACKWARD,
    DATA,
    NO_GRADIENT,
    OPTIMIZER,
    POLICY,
    SAVING,
    PhaseClock,
)
from trainer.loops.work import WorkCounter, device_peak
from trainer.runs.phase_times import MFU, PREFIX, TOKENS_PER_SECOND, UPDATE

Class = TypeVar("Class", bound=type)


def time_methods(phases: Mapping[str, str]) -> Callable[[Class], Class]:
    """Return a decorator of a trainer class that charges methods of its own to phases.

    Args:
        phases: Phase by method name. What `POLICY` is charged with is `NO_GRADIENT` where torch
            computes no gradient.
    """

    def decorate(trainer: Class) -> Class:
        for name, phase in phases.items():
            setattr(trainer, name, _timed(trainer.__dict__[name], phase))
        return trainer

    return decorate


class TimedUpdates:
    """Mixin before a `transformers.Trainer` class: logs the time of every phase."""

    accelerator: Any
    state: Any
    _inputs: Any
    _work: WorkCounter
    _metrics: dict[str, dict[str, list[float]]]

    @functools.cached_property
    def clock(self) -> PhaseClock:
        """The clock of this process."""
        return PhaseClock()

    def train(self, *args: Any, **options: Any) -> Any:
        """Train with the clock on."""
        trainer: Any = super()
        self._inputs.clock = self.clock
        own: Any = self
        models = [own.model, getattr(self, "ref_model", None)]
        self._work = WorkCounter(*(model for model in models if model is not None))
        for name, phase in (("backward", BACKWARD), ("clip_grad_norm_", OPTIMIZER)):
            setattr(self.accelerator, name, self._time(getattr(self.accelerator, name), phase))
        own.add_callback(_Updates(self))
        return trainer.train(*args, **options)

    def get_batch_samples(self, *args: Any, **options: Any) -> Any:
        """Take the next batches from the data loader."""
        trainer: Any = super()
        with self.clock.phase(DATA):
            return trainer.get_batch_samples(*args, **options)

    def _save_checkpoint(self, *args: Any, **options: Any) -> None:
        trainer: Any = super()
        with self.clock.phase(SAVING):
            trainer._save_checkpoint(*args, **options)

    def finish_update(self, tokens_before: float | None) -> None:
        """Put the times of an update among its metrics, tokens per second, and MFU if known."""
        seconds = self.clock.finish_update()
        whole = sum(seconds.values())
        metrics = self._metrics["train"]
        for phase, value in {**seconds, UPDATE: whole}.items():
            metrics[f"{PREFIX}{phase}"].append(value)
        tokens = self.seen_tokens()
        if tokens is not None and tokens_before is not None and whole > 0:
            metrics[TOKENS_PER_SECOND].append((tokens - tokens_before) / whole)
        peak, work = device_peak(self), self._work.take()
        if peak is not None and whole > 0:
            metrics[MFU].append(work / (whole * peak))

    def seen_tokens(self) -> float | None:
        """Return the tokens that were trained on so far, in all processes; None before any."""
        found = self._metrics["train"].get("num_tokens")
        return found[-1] if found else None

    def _time(self, call: Callable[..., Any], phase: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*args: Any, **options: Any) -> Any:
            with self.clock.phase(phase):
                return call(*args, **options)

        return timed


class _Updates(TrainerCallback):  # type: ignore[misc]
    """Closes the books of every update, and charges the optimizer's step."""

    def __init__(self, trainer: TimedUpdates) -> None:
        self._trainer = trainer
        self._tokens: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the first update; a resumed run does not know how many tokens it has seen."""
        self._trainer.clock.finish_update()
        self._tokens = None if state.global_step else 0.0

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the optimizer's step."""
        self._trainer.clock.begin(OPTIMIZER)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the optimizer's step."""
        self._trainer.clock.end()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the update, from the end of the one before."""
        self._trainer.finish_update(self._tokens)
        self._tokens = self._trainer.seen_tokens()


def _timed(method: Callable[..., Any], phase: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def timed(self: Any, *args: Any, **options: Any) -> Any:
        passes = phase == POLICY and not torch.is_grad_enabled()
        with self.clock.phase(NO_GRADIENT if passes else phase):
            return method(self, *args, **options)

    return timed
