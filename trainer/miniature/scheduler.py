"""Running commands, some at a time, each in its own process, and remembering which are done.

Every command resumes by itself, so that a schedule which is stopped or killed loses nothing: what
was under way goes on where it was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.child import PREFIX
from harness.cli.exits import Exit
from harness.files import JsonLinesWriter, read_json_lines
from trainer.miniature.experiment import Stage

DONE = "stages.jsonl"
"""One line per finished stage: its command and the seconds it took."""
LOGS = "logs"

_POLL_S = 0.2
_TAIL_CHARACTERS = 4096
"""How much of the end of a log is searched for the command's last line; libraries may print after
it."""
_GRACE_S = 60.0
"""So long an interrupted command may take to save what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A stage under way."""

    stage: Stage
    handle: subprocess.Popen[bytes]
    began: float


class Schedule:
    """Runs the stages of an experiment in a folder.

    Args:
        folder: Of the experiment; holds logs and the list of what is done.
        jobs: Commands at a time.
        threads: Threads of each; None: what libraries choose.
        program: What is run with the words of a stage.
    """

    def __init__(
        self,
        folder: Path,
        *,
        jobs: int,
        threads: int | None = None,
        program: Sequence[str] = PREFIX,
    ) -> None:
        self.failed: dict[str, str] = {}
        """Stages that ended badly, with the reason."""
        self._folder = folder
        self._jobs = jobs
        self._program = program
        self._environment = {**os.environ, "GOMP_SPINCOUNT": "0"}
        if threads is not None:
            self._environment["OMP_NUM_THREADS"] = str(threads)

    def run(self, stages: Sequence[Stage], on_change: Callable[[Progress], None]) -> None:
        """Run what is not done yet; after a failure nothing that is not under way is begun.

        Raises:
            KeyboardInterrupt: After every command under way has ended.
        """
        done = finished(self._folder)
        waiting = [stage for stage in stages if stage.name not in done]
        running: list[Process] = []
        try:
            while waiting or running:
                on_change(Progress(len(stages) - len(waiting) - len(running), len(stages), running))
                self._begin(waiting, running, done)
                if not running:
                    return
                time.sleep(_POLL_S)
                for process in [one for one in running if one.handle.poll() is not None]:
                    running.remove(process)
                    self._conclude(process, done)
            on_change(Progress(len(stages), len(stages), ()))
        finally:
            _end(running)

    def _begin(self, waiting: list[Stage], running: list[Process], done: set[str]) -> None:
        """Start what is ready, in order."""
        ready = [stage for stage in waiting if stage.needs is None or stage.needs in done]
        for stage in ready[: self._jobs - len(running)]:
            if not self.failed:
                waiting.remove(stage)
                running.append(self._started(stage))

    def _started(self, stage: Stage) -> Process:
        log = log_file(self._folder, stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            handle = subprocess.Popen(
                [*self._program, *stage.words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this process, which tells the others once
            )
        return Process(stage=stage, handle=handle, began=time.monotonic())

    def _conclude(self, process: Process, done: set[str]) -> None:
        stage, code = process.stage, process.handle.returncode
        log = log_file(self._folder, stage)
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
class Progress:
    """How far a schedule is."""

    done: int
    total: int
    running: Sequence[Process]


def finished(folder: Path) -> set[str]:
    """Name the stages that are done."""
    return set(durations(folder))


def durations(folder: Path) -> Mapping[str, float]:
    """Map finished stages to the seconds that their last run took."""
    path = folder / DONE
    if not path.exists():
        return {}
    return {line["stage"]: line["seconds"] for _, line in read_json_lines(path)}


def log_file(folder: Path, stage: Stage) -> Path:
    """Name the file that a stage's output goes to."""
    return folder / LOGS / f"{stage.name.replace('/', '-')}.log"


def _states_its_end(log: Path, code: int) -> bool:
    """Tell whether a command said itself that it ends with this code.

    Python ends with 1 where it crashes, which is the code of a regression.
    """
    if code == Exit.OK:
        return True
    tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]
    return any(line.startswith(f"exit {code} (") for line in tail.splitlines())


def _end(running: Sequence[Process]) -> None:
    """Interrupt what is under way and wait until it has saved what it has."""
    for process in running:
        process.handle.send_signal(signal.SIGINT)
    for process in running:
        try:
            process.handle.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.handle.kill()
            process.handle.wait()
