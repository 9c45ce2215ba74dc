"""Time the phases of an update, of our trainers and of TRL's alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

PHASES = ("sampling", "reference", "policy", "backward")
UPDATE = "update"


class Timed:
    """Mixin before a GRPO trainer: `seconds` has the durations of each phase, one per update."""

    accelerator: Any

    def train(self, *args: Any, **options: Any) -> Any:
        """Train, with the clock on."""
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._running: defaultdict[str, float] = defaultdict(float)
        backward = self.accelerator.backward

        def timed_backward(*args: Any, **options: Any) -> None:
            with self._clock("backward"):
                backward(*args, **options)

        self.accelerator.backward = timed_backward
        trainer: Any = super()
        self.add_callback(_Updates(self))  # type: ignore[attr-defined]
        return trainer.train(*args, **options)

    def _generate_single_turn(self, *args: Any, **options: Any) -> Any:
        with self._clock("sampling"):
            return super()._generate_single_turn(*args, **options)  # type: ignore[misc]

    def _get_per_token_logps_and_entropies(self, *args: Any, **options: Any) -> Any:
        with self._clock("policy" if torch.is_grad_enabled() else "reference"):
            return super()._get_per_token_logps_and_entropies(*args, **options)  # type: ignore[misc]

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        start = now()
        yield
        self._running[phase] += now() - start

    def close_update(self, seconds: float) -> None:
        """Close the books of an update."""
        for phase in PHASES:
            self.seconds[phase].append(self._running[phase])
        self.seconds[UPDATE].append(seconds)
        self._running.clear()


class _Updates(TrainerCallback):  # type: ignore[misc]
    def __init__(self, trainer: Timed) -> None:
        self._trainer = trainer
        self._last = 0.0

    def on_train_begin(self, *args: Any, **_: Any) -> None:
        self._last = now()

    def on_step_end(self, *args: Any, **_: Any) -> None:
        """An update includes the batch that it was made of, from the end of the one before."""
        at = now()
        self._trainer.close_update(at - self._last)
        self._last = at


def now() -> float:
    """Return the time once the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
