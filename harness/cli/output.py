"""Standard output and error that no closed pipe, full disk or narrow character set ends.

``videor1 gate BASELINE RUN | head -1`` closes the pipe while the command still prints. The command
has to go on to its own end, because its exit code is what scripts read; what it prints from then
on is thrown away. Characters that the output's encoding lacks are replaced.
"""

from __future__ import annotations

import io
import os
import sys
from typing import IO, Any, TextIO


class _TolerantStream:
    """A text stream that goes to the null device once it cannot be written any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: str | None = None
        """Why output was lost; None: nothing was, or the reader of a pipe did not want it."""

    def write(self, text: str) -> int:
        """Write text, or drop it where that is not possible any more."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what it holds."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.lost = self.lost or error.strerror or str(error)
        discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def protect_streams() -> None:
    """Let this process go on whatever becomes of its output and errors."""
    _open_missing_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
        setattr(sys, name, _TolerantStream(stream))


def lost_output(stream: object) -> str | None:
    """Return why output to a protected stream was lost, None where it was not."""
    return stream.lost if isinstance(stream, _TolerantStream) else None


def discard(stream: IO[str]) -> None:
    """Send what is still printed to a stream to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, stream.fileno())
    finally:
        os.close(null)


def _open_missing_streams() -> None:
    """Connect closed standard streams to the null device.

    Otherwise the next file that is opened gets the number of the closed one, and what a library
    prints ends in that file.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _occupy(number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _occupy(number: int) -> None:
    """Open the null device under a file number, unless something else has taken it already."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number, inheritable=True)
            os.close(null)
