"""Run the commands of the experiment, some at a time, and store which are done.

Each command runs in a process of its own and resumes by itself, so that nothing is lost when the
scheduler is stopped or killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.cli.child import PREFIX
from harness.cli.exits import Exit
from harness.files import JsonLinesWriter, read_json_lines
from trainer.miniature.experiment import Stage
from trainer.miniature.warm import WarmProgram

DONE = "stages.jsonl"
"""One line per finished stage: its command and the seconds it took."""
LOGS = "logs"

_POLL_S = 0.2
_TAIL_CHARACTERS = 4096
"""Characters at the end of a log that are searched for the command's last line; libraries may print
after it."""
_GRACE_S = 60.0
"""Seconds that an interrupted command may take to save its state."""


class Handle(Protocol):
    """A running command, as `subprocess.Popen` is one."""

    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit code, None while the command runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code, or raise `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """Send a signal to the command."""

    def kill(self) -> None:
        """End the command at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStage:
    """A stage whose command is running."""

    stage: Stage
    handle: Handle
    began: float


class Scheduler:
    """Runs the stages of an experiment.

    Args:
        folder: The experiment's folder; logs and the list of finished stages are stored there.
        jobs: Number of commands that run at the same time.
        threads: CPU threads of each command; None: the libraries' choice.
        program: The command line in front of the words of a stage.
        warm: Whether the commands run in forks of processes that have imported torch
            (`trainer.miniature.warm`), instead of as `program`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        jobs: int,
        threads: int | None = None,
        program: Sequence[str] = PREFIX,
        warm: bool = False,
    ) -> None:
        self.failed: dict[str, str] = {}
        """Reasons of the stages that failed, by name."""
        self._folder = folder
        self._jobs = jobs
        self._program = program
        self._warm = WarmProgram() if warm else None
        self._environment = {**os.environ, "GOMP_SPINCOUNT": "0"}
        if threads is not None:
            self._environment["OMP_NUM_THREADS"] = str(threads)

    def run(self, stages: Sequence[Stage], on_change: Callable[[SchedulerProgress], None]) -> None:
        """Run the stages that are not done yet; after a failure no further stage is started.

        Args:
            stages: In the order in which they are started, as far as their needs allow.
            on_change: Called when a stage is started or has ended.

        Raises:
            KeyboardInterrupt: After every running command has ended.
        """
        done = set(durations(self._folder))
        waiting = [stage for stage in stages if stage.name not in done]
        running: list[RunningStage] = []
        try:
            while waiting or running:
                finished = len(stages) - len(waiting) - len(running)
                on_change(SchedulerProgress(finished, len(stages), running))
                self._start_ready(waiting, running, done)
                if not running:
                    return
                time.sleep(_POLL_S)
                for process in [one for one in running if one.handle.poll() is not None]:
                    running.remove(process)
                    self._record_end(process, done)
            on_change(SchedulerProgress(len(stages), len(stages), ()))
        finally:
            _interrupt(running)
            if self._warm is not None:
                self._warm.close()

    def _start_ready(
        self, waiting: list[Stage], running: list[RunningStage], done: set[str]
    ) -> None:
        """Start stages whose needs are done, as many as there are free jobs."""
        ready = [stage for stage in waiting if stage.needs is None or stage.needs in done]
        for stage in ready[: self._jobs - len(running)]:
            if not self.failed:
                waiting.remove(stage)
                running.append(self._start(stage))

    def _start(self, stage: Stage) -> RunningStage:
        log = stage_log(self._folder, stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        handle: Handle
        if self._warm is not None:
            handle = self._warm.start(stage.words, log, self._environment)
        else:
            handle = self._start_program(stage.words, log)
        return RunningStage(stage=stage, handle=handle, began=time.monotonic())

    def _start_program(self, words: Sequence[str], log: Path) -> Handle:
        with log.open("ab") as file:
            return subprocess.Popen(
                [*self._program, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this process alone
            )

    def _record_end(self, process: RunningStage, done: set[str]) -> None:
        stage, code = process.stage, process.handle.poll()
        assert code is not None
        log = stage_log(self._folder, stage)
        if code not in stage.accepted or not _states_its_end(log, code):
            self.failed[stage.name] = f"exit {code}, see {log}"
            return
        done.add(stage.name)
        line = {
            "stage": stage.name,
            "command": str(stage),
            "seconds": round(time.monotonic() - process.began, 1),
        }
        with JsonLinesWriter(self._folder / DONE) as file:
            file.append(line)


@dataclass(frozen=True, slots=True)
class SchedulerProgress:
    """How many stages are done, and which are running."""

    done: int
    total: int
    running: Sequence[RunningStage]


def durations(folder: Path) -> Mapping[str, float]:
    """Return the seconds that the last run of each finished stage took, by name."""
    path = folder / DONE
    if not path.exists():
        return {}
    return {line["stage"]: line["seconds"] for _, line in read_json_lines(path)}


def stage_log(folder: Path, stage: Stage) -> Path:
    """Return the file with the output of a stage."""
    return folder / LOGS / f"{stage.name.replace('/', '-')}.log"


def _states_its_end(log: Path, code: int) -> bool:
    """Return whether the log says that the command ended with this exit code.

    Python ends with 1 where it crashes, which is the code of a regression.
    """
    if code == Exit.OK:
        return True
    tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]
    return any(line.startswith(f"exit {code} (") for line in tail.splitlines())


def _interrupt(running: Sequence[RunningStage]) -> None:
    """Interrupt the running commands and wait until they have saved their state."""
    for process in running:
        process.handle.send_signal(signal.SIGINT)
    for process in running:
        try:
            process.handle.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.handle.kill()
            process.handle.wait()
