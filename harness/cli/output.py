"""Standard output and error that a closed pipe does not end.

``videor1 gate BASELINE RUN | head -1`` closes the pipe while the command still prints. The command
has to go on to its own end, because its exit code is what scripts read; what it prints from then
on is thrown away.
"""

from __future__ import annotations

import os
import sys
from typing import IO, Any, TextIO


class _PipeTolerant:
    """A text stream that goes to the null device once the reader of its pipe has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or drop it where nobody reads any more."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what it holds where nobody reads any more."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def tolerate_closed_pipes() -> None:
    """Let this process go on where the reader of its output or of its errors goes away."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:
            setattr(sys, name, _PipeTolerant(stream))


def discard(stream: IO[str]) -> None:
    """Send what is still printed to a stream to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, stream.fileno())
    finally:
        os.close(null)
