"""Processes that a test interrupts as Ctrl-C does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_RESTORE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


def interruptible(command: Sequence[str]) -> list[str]:
    """Return a command line that runs `command`, under the same process id, so that SIGINT ends it.

    A shell lets background jobs ignore SIGINT, and their children inherit that: without this, such
    a test fails where the tests themselves run as a background job.
    """
    return [sys.executable, "-c", _RESTORE, *command]
