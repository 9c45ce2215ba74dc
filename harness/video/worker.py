"""Runs one decode worker: a child process that decodes one file at a time.

Frames come back through a pipe as raw bytes (pickle protocol 5, out of band), so that no shared
memory has to be cleaned up. The child is a new interpreter, not a fork: torch
threads do not survive a fork. It is not one of multiprocessing's either, which would run the
user's script again in every worker unless the script guards against it.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np

from harness.errors import HarnessError
from harness.schema import Clip, Failure, FramePolicy, Media

_START_S = 120.0  # a cold disk under load can take long to import numpy
_STARTS = 4
"""Number of attempts where a process is killed before it is ready: memory may be full for now."""
_PAUSE_S = 0.1
_KILLED = "was killed by"
_END_S = 5.0
_PARENT_CHECK_S = 0.5
_NICE = 5
"""Workers leave the processor to the thread that drives the engine, where they share cores."""


class Decoder(Protocol):
    """A function that decodes one file; `harness.video.decode.decode` outside of tests."""

    def __call__(self, media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
        """Decode one file; an exception becomes a `Failure`."""


@dataclass(frozen=True, slots=True)
class _StartFailure:
    """Why a process is not ready to decode."""

    reason: str
    is_transient: bool
    """Whether another start may succeed: the process was killed from outside, or there was none."""

    @property
    def advice(self) -> str:
        """What the user can do."""
        return "; memory may be full: use fewer --workers" if self.is_transient else ""


class Worker:
    """The parent's side of a worker process; one thread may use it, others may only `kill` it."""

    def __init__(self, decoder: Decoder, *, timeout_s: float) -> None:
        self.decodes = 0
        """Number of files that were decoded, not found in a frame cache."""
        self.cache_hits = 0
        self.busy_s = 0.0
        """Seconds from sending files to receiving their frames."""
        self._decoder = decoder
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: subprocess.Popen[bytes] | None = None
        """The process that was killed last; it may not have ended yet."""
        self._pipe: Connection | None = None

    def decode(self, media: Media, policy: FramePolicy, patch_multiple: int) -> Clip | Failure:
        """Decode one file in the process; one that hangs or dies is replaced for the next file.

        A file whose process gets SIGKILL, which no decoder sends, is tried once more: the memory
        was full, or somebody killed it.

        Raises:
            HarnessError: The process cannot be started, whatever the file.
        """
        answer = self._decode_once(media, policy, patch_multiple)
        if answer is None:
            answer = self._decode_once(media, policy, patch_multiple)
        if answer is None:
            twice = ChildProcessError(f"the decode worker {_KILLED} SIGKILL, twice")
            answer = _make_failure(media, twice)
        cached = isinstance(answer, Clip) and answer.cached
        self.cache_hits += cached
        self.decodes += not cached
        return answer

    def kill(self) -> None:
        """Kill the process; the thread that waits for it continues with a `Failure`."""
        process = self._process
        if process is not None:
            self._killed = process
            process.kill()

    def stop(self) -> None:
        """End the process and free its resources; a later `decode` starts a new one."""
        self.kill()
        if self._process is not None:
            self._end_process()

    def _decode_once(
        self, media: Media, policy: FramePolicy, patch_multiple: int
    ) -> Clip | Failure | None:
        """Decode one file; return None if somebody else killed the process."""
        pipe = self._start_process()
        began = time.perf_counter()
        try:
            return self._request_clip(pipe, media, policy, patch_multiple)
        finally:
            self.busy_s += time.perf_counter() - began

    def _request_clip(
        self, pipe: Connection, media: Media, policy: FramePolicy, patch_multiple: int
    ) -> Clip | Failure | None:
        process = self._process
        try:
            pipe.send((media, policy, patch_multiple))
            if pipe.poll(self._timeout_s):
                return _receive_answer(pipe)
        except (EOFError, OSError):
            how = self._end_process()
            if how == f"{_KILLED} {signal.SIGKILL.name}" and process is not self._killed:
                return None
            return _make_failure(media, ChildProcessError(f"the decode worker {how}"))
        self.stop()
        return _make_failure(media, TimeoutError(f"not decoded within {self._timeout_s:g} s"))

    def _is_usable(self) -> bool:
        process = self._process
        return process is not None and process is not self._killed and process.poll() is None

    def _start_process(self) -> Connection:
        if self._pipe is not None and self._is_usable():
            return self._pipe
        for attempt in range(1, _STARTS + 1):
            self.stop()
            how = self._try_starting()
            if isinstance(how, Connection):
                return how
            failure = how
            if not failure.is_transient:
                break
            time.sleep(_PAUSE_S * attempt)
        times = f" ({attempt} times)" if attempt > 1 else ""
        raise HarnessError(
            f"a decode worker {failure.reason} while it started{times}{failure.advice}"
        )

    def _try_starting(self) -> Connection | _StartFailure:
        """Start a process and wait until it is ready; return its pipe or what went wrong."""
        self._pipe, theirs = Pipe()
        try:
            self._process = _start_process(theirs)  # from now on others may kill it
        except OSError as error:
            self._pipe.close()
            self._pipe = None
            return _StartFailure(f"got no process ({error.strerror})", is_transient=True)
        finally:
            theirs.close()  # so that the pipe ends when the process does
        try:
            self._pipe.send(self._decoder)
            if not self._pipe.poll(_START_S):
                self.stop()
                return _StartFailure(f"was not ready within {_START_S:g} s", is_transient=False)
            self._pipe.recv()
        except (EOFError, OSError):
            how = self._end_process()
            return _StartFailure(how, is_transient=how.startswith(_KILLED))
        return self._pipe

    def _end_process(self) -> str:
        """Wait for the process to end, free its resources, and return how it ended."""
        assert self._process is not None
        assert self._pipe is not None
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._pipe.close()
        self._process = self._pipe = None
        if code < 0:
            return f"{_KILLED} {signal.Signals(-code).name}"
        return f"exited with code {code}"


def _start_process(pipe: Connection) -> subprocess.Popen[bytes]:
    """Start an interpreter with this one's import path that serves the other end of a pipe."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r};"
        f" from harness.video.worker import serve; serve({pipe.fileno()}, {os.getpid()})"
    )
    # The parent handles Ctrl-C and SIGTERM. A child starts with the signals blocked that the thread
    # blocks which starts it, so that they are from its first instruction on.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code], pass_fds=[pipe.fileno()], stdin=subprocess.DEVNULL
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def serve(pipe_number: int, parent: int) -> None:
    """Run in the child: read the decoder from the pipe, then answer requests until the pipe ends.

    Args:
        pipe_number: File descriptor of this end of the pipe.
        parent: Process id of the parent, with which this process ends.
    """
    os.nice(_NICE)
    threading.Thread(target=_follow_parent, args=(parent,), daemon=True).start()
    try:
        _answer_requests(Connection(pipe_number))
    except (EOFError, OSError):  # the parent has gone; nobody is left to be told
        os._exit(1)


def _answer_requests(pipe: Connection) -> None:
    """Decode what the parent asks for, until the pipe ends with `EOFError` or `OSError`."""
    decoder: Decoder = pipe.recv()
    pipe.send("ready")
    while True:
        media, policy, patch_multiple = pipe.recv()
        _send_answer(pipe, _try_decoding(decoder, media, policy, patch_multiple))


def _follow_parent(parent: int) -> None:
    """Exit when the parent exits, even while a file is being decoded."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def _try_decoding(
    decoder: Decoder, media: Media, policy: FramePolicy, patch_multiple: int
) -> Clip | Failure:
    try:
        return decoder(media, policy, patch_multiple=patch_multiple)
    except Exception as error:  # noqa: BLE001  (the boundary: one bad file costs only itself)
        return _make_failure(media, error)


def _make_failure(media: Media, error: Exception) -> Failure:
    message, path = str(error), str(media.path)
    if path not in message:
        message = f"{path}: {message}"
    return Failure(stage="media", error=type(error).__name__, message=message)


def _send_answer(pipe: Connection, answer: Clip | Failure) -> None:
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(answer, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pipe.send((head, [view.nbytes for view in views]))
    for view in views:
        pipe.send_bytes(view)


def _receive_answer(pipe: Connection) -> Clip | Failure:
    head, sizes = pipe.recv()
    buffers = [np.empty(size, dtype=np.uint8) for size in sizes]
    for buffer in buffers:
        pipe.recv_bytes_into(buffer.data)
    answer: Clip | Failure = pickle.loads(head, buffers=buffers)
    return answer
