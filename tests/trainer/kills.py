"""Kill a training at a step, as SIGKILL would."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback


class Killed(BaseException):
    """Raised in place of a kill; nothing catches it."""


class KillAt(TrainerCallback):  # type: ignore[misc]
    """Dies in the middle of the step after `step`."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise Killed
