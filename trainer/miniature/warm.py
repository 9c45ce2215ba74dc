"""Run commands of ``videor1`` in processes that have imported torch before they begin.

A short training takes less time than the imports of PyTorch and TRL. A server process imports them
once and forks for every command, so that each command still has a process of its own, which begins
as it would after its own imports: nothing of an earlier command is left in it. One server runs one
command at a time. It speaks JSON lines: it reads the words of a command and the file for its
output, and writes the process id, then the exit code.

    python -m trainer.miniature.warm      (the server; `WarmProgram` starts it)
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

_MODULES = (
    "harness.backends.transformers",
    "harness.run.evaluate",
    "trainer.algorithms.sft",
    "trainer.loops.rollout_run",
    "trl.trainer.grpo_trainer",
    "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl",
)
"""What the commands of an experiment import and what takes long."""
_POLL_S = 0.05


class WarmProgram:
    """Starts commands in forks of servers, one server per command that runs at a time."""

    def __init__(self) -> None:
        self._idle: list[_Server] = []

    def start(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> WarmProcess:
        """Start a command; its output is appended to `log`.

        Args:
            words: What follows ``videor1``.
            log: File of its output.
            environment: Variables of the first server; all servers have the same.
        """
        server = self._idle.pop() if self._idle else _Server(environment)
        return WarmProcess(server, server.begin(words, log), self._idle.append)

    def close(self) -> None:
        """End the servers that are idle."""
        while self._idle:
            self._idle.pop().close()


class WarmProcess:
    """A running command, with the methods of `subprocess.Popen` that a scheduler needs."""

    def __init__(self, server: _Server, pid: int, give_back: Callable[[_Server], None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._give_back = give_back

    def poll(self) -> int | None:
        """Return the exit code, None while the command runs."""
        if self.returncode is None:
            self.returncode = self._server.read_code(timeout=0)
            if self.returncode is not None:
                self._give_back(self._server)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code; without a timeout as long as it takes.

        Raises:
            subprocess.TimeoutExpired: It has not ended in so many seconds.
        """
        began = time.monotonic()
        while self.poll() is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired("videor1", timeout)
            time.sleep(_POLL_S)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send a signal to the command."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """End the command at once."""
        self.send_signal(signal.SIGKILL)


class _Server:
    """A server process and the pipes to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C reaches the scheduler alone
        )

    def begin(self, words: Sequence[str], log: Path) -> int:
        """Start a command and return its process id."""
        line = json.dumps({"words": list(words), "log": str(log)})
        self._stdin.write(f"{line}\n".encode())
        self._stdin.flush()
        return int(self._read_line()["pid"])

    def read_code(self, timeout: float) -> int | None:
        """Return the exit code of the command, None where it still runs after the timeout."""
        if not select.select([self._stdout], [], [], timeout)[0]:
            return None
        return int(self._read_line()["code"])

    def close(self) -> None:
        """Let the server end."""
        self._stdin.close()
        self._stdout.close()
        self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _read_line(self) -> dict[str, int]:
        # `select` sees the pipe alone, so that no line may wait in a buffer: each answer is read
        # before the next one is written.
        line = self._stdout.readline()
        if not line:
            raise ChildProcessError("the server of the experiment's commands has ended")
        found: dict[str, int] = json.loads(line)
        return found


def serve() -> None:
    """Run the commands that standard input names, one after the other, until it is closed."""
    from importlib import import_module

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print is not an answer
    for module in _MODULES:
        import_module(module)
    sys.stdout.flush()  # or every fork would print it
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            answers.close()
            _run(asked["words"], asked["log"])
        _answer(answers, {"pid": pid})
        _, status = os.waitpid(pid, 0)
        _answer(answers, {"code": os.waitstatus_to_exitcode(status)})


def _answer(answers: IO[str], fields: Mapping[str, int]) -> None:
    answers.write(f"{json.dumps(fields)}\n")
    answers.flush()


def _run(words: Sequence[str], log: str) -> NoReturn:
    """Become the process of a command: own session, own streams, own command line."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["videor1", *words]
    from harness.cli import program
    from harness.cli.exits import Exit

    code = int(Exit.FAULT)
    try:
        program()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:  # never back into the loop of the server
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
