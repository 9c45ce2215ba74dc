"""``videor1``, and ``python -m harness``, which is the same.

Python ends an import that Ctrl-C interrupts with a traceback. Until the command line has its own
handlers the process is therefore ended without one, so that this module imports little.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def program() -> NoReturn:
    """Run the process's own command line and end the process."""
    try:
        import signal

        # A process that was started to ignore Ctrl-C goes on ignoring it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        os._exit(130)
    from harness.cli import program

    program()


def _leave_out_working_directory() -> None:
    """Take the working directory, which ``-m`` puts first, out of the import path.

    Where it is not this checkout, a file named tasks.py in it would hide our package of that name.
    """
    ours = os.path.realpath(f"{__file__}/../..")
    try:
        here = os.path.realpath(os.curdir)
        if not sys.flags.safe_path and os.path.realpath(sys.path[0]) == here != ours:
            del sys.path[0]
    except FileNotFoundError:  # the working directory has been deleted
        pass


if __name__ == "__main__":
    _leave_out_working_directory()
    program()
