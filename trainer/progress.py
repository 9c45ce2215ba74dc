"""What a training run does beside training: a progress line, and an end when it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = ("loss", "reward", "rewards/accuracy/mean", "temporal/gap", "kl", "learning_rate")


class Progress(TrainerCallback):  # type: ignore[misc]
    """A live bar on a terminal, a line per log elsewhere, in the first process only."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = console
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show where training begins or goes on."""
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)
        self._bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Advance the bar."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the newest figures."""
        figures = [
            f"{name.removeprefix('rewards/').removesuffix('/mean')} {logs[name]:.4g}"
            for name in _SHOWN
            if logs and isinstance(logs.get(name), int | float)
        ]
        if not figures:
            return
        self._bar.update(self._task, description=", ".join(figures))
        if not self._console.is_terminal:
            self._console.print(
                f"step {state.global_step} of {state.max_steps}: {', '.join(figures)}",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the bar where it is."""
        self._bar.stop()


class StopFile(TrainerCallback):  # type: ignore[misc]
    """Ends training, with a last checkpoint, once a file is there (`videor1 watch` writes it)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Ask the first process, so that all processes stop at the same step."""
        if _agreed(self._path.exists(), args.device):
            control.should_training_stop = control.should_save = True
        return control


def _agreed(stop: bool, device: Any) -> bool:
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    flag = torch.tensor(int(stop), device=device)
    torch.distributed.broadcast(flag, src=0)
    return bool(flag.item())
