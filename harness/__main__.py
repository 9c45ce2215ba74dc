"""``python -m harness`` is the ``videor1`` command."""

from __future__ import annotations

import os.path
import signal
import sys

if __name__ == "__main__":
    # Until the command line has its own handlers, Ctrl-C ends the process without a traceback; a
    # process that was started to ignore it goes on ignoring it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # ``-m`` puts the working directory in front of the import path. Where that is not this
    # checkout, a file named tasks.py in it would hide our package of that name.
    ours = os.path.realpath(f"{__file__}/../..")
    try:
        here = os.path.realpath(os.curdir)
        if not sys.flags.safe_path and os.path.realpath(sys.path[0]) == here != ours:
            del sys.path[0]
    except FileNotFoundError:  # the working directory has been deleted
        pass

    from harness.cli import program

    program()
