"""Callbacks of a training run: progress, metrics file, and a stop request from another process."""

from __future__ import annotations

import signal
import stat
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from transformers import TrainerCallback

from trainer.runs.checkpoints import STATE
from trainer.runs.folder import METRICS
from trainer.runs.step_lines import StepLines, without_nan

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = ("loss", "reward", "rewards/accuracy/mean", "temporal/gap", "kl", "learning_rate")
_ON_THE_BAR = ("reward", "accuracy", "gap")
"""Of these, what fits on a terminal of 80 columns; the loss where there is no reward."""


class ProgressBar(TrainerCallback):  # type: ignore[misc]
    """Shows a live bar on a terminal, and prints a line per log elsewhere.

    For the first process only. A context manager, because an interrupted training does not call
    the callback for its end, and the terminal has to be restored all the same.
    """

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
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the bar at the step that training starts or resumes from."""
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)
        self._bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Advance the bar."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the newest metrics."""
        values = {
            name.removesuffix("/mean").rpartition("/")[2]: f"{logs[name]:.4g}"
            for name in _SHOWN
            if logs and isinstance(logs.get(name), int | float)
        }
        if not values:
            return
        few = _ON_THE_BAR if "reward" in values else ("loss",)
        self._bar.update(self._task, description=_format_metrics(values, few))
        if not self._console.is_terminal:
            self._console.print(
                f"step {state.global_step} of {state.max_steps}: {_format_metrics(values, values)}",
                soft_wrap=True,
            )


class StopFile(TrainerCallback):  # type: ignore[misc]
    """Ends training, with a last checkpoint, once a file exists (`videor1 watch` writes it)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Check for the file in the first process, so that all processes stop at the same step."""
        if _first_process_says(self._path.exists(), args.device) and _is_resumable(args, state):
            control.should_training_stop = control.should_save = True
        return control


class SaveAtTerm(TrainerCallback):  # type: ignore[misc]
    """Ends training with a checkpoint of the update in progress when SIGTERM comes.

    A second SIGTERM ends the process at once. Nothing is done outside the main thread, where
    Python takes no signal handlers.
    """

    def __init__(self) -> None:
        self.received = False
        """Whether SIGTERM came."""
        self._before: Any = None
        self._installed = threading.current_thread() is threading.main_thread()
        if self._installed:
            self._before = signal.signal(signal.SIGTERM, self._receive)

    def restore(self) -> None:
        """Give the signal back to the handler that it had."""
        if self._installed:
            signal.signal(signal.SIGTERM, self._before or signal.SIG_DFL)
            self._installed = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop all processes at the same update, between two batches of completions."""
        if _first_process_says(self.received, args.device) and _is_resumable(args, state):
            self.received = True
            control.should_training_stop = control.should_save = True
        return control

    def _receive(self, *_: object) -> None:
        self.received = True
        self.restore()


class EqualModes(TrainerCallback):  # type: ignore[misc]
    """Gives every file of a checkpoint the permissions of its state: safetensors writes 0600."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Widen the permissions of the newest checkpoint's files, in the first process."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        written = folder / STATE
        if state.is_world_process_zero and written.is_file():
            mode = stat.S_IMODE(written.stat().st_mode)
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    path.chmod(stat.S_IMODE(path.stat().st_mode) | mode)


class LogAtCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Logs at every checkpoint, whatever ``logging_steps`` is.

    What is summed since the last log is in no checkpoint, and a resumed run would log other values.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Ask for a log where a checkpoint is asked for."""
        control.should_log = control.should_log or control.should_save
        return control


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Appends one line per log to ``metrics.jsonl``: the step and every logged metric."""

    def __init__(self, out: Path) -> None:
        self._lines = StepLines(out / METRICS)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the lines up to the step that training resumes from."""
        if state.is_world_process_zero:
            self._lines.keep_until(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Append the logged metrics."""
        if state.is_world_process_zero and logs:
            self._lines.append([{"step": state.global_step, **without_nan(logs)}])


def _format_metrics(values: Mapping[str, str], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in names if name in values)


def _is_resumable(args: Any, state: Any) -> bool:
    """Return whether a run can resume exactly from this update.

    Amid several updates on one batch of completions it cannot: the batch is in no checkpoint.
    """
    return bool(state.global_step % getattr(args, "num_iterations", 1) == 0)


def _first_process_says(stop: bool, device: Any) -> bool:
    """Return the value of the first process in all processes."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    flag = torch.tensor(int(stop), device=device)
    torch.distributed.broadcast(flag, src=0)
    return bool(flag.item())
