"""Ends what a replica has started once the replica is gone, whoever killed it.

An engine runs in processes of its own. They would go on after a SIGKILL of the replica and keep
the GPU's memory, for good or until they notice. `start_guard` starts this file as a process, which
imports nothing but the standard library: it waits for its parent's end, and then ends the parent's
process group, first politely, so that shared memory is freed, then by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

_LOOK_S = 0.25
_STEPS = ((0, 2.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 1.0))
"""Signals, and the seconds that processes have to end after each; 0 only asks."""


def start_guard() -> subprocess.Popen[bytes]:
    """Put this process at the head of a process group and start the guard of that group.

    Processes that this one starts belong to the group unless they leave it.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    return subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)


def _end_group(group: int) -> None:
    """Send the signals one after another until no process of a group is left."""
    for number, patience_s in _STEPS:
        end = time.monotonic() + patience_s
        try:
            os.killpg(group, number)
            while time.monotonic() < end:
                time.sleep(_LOOK_S)
                os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return


if __name__ == "__main__":
    _wait_for_end(int(sys.argv[1]))
    _end_group(int(sys.argv[1]))
