"""Decides what Ctrl-C and SIGTERM do to a command, from its first moment to its last.

Both end a command in the same way, with exit code 130: SIGTERM is how batch systems say that the
time is up, so an evaluation keeps what it has finished. Until a command runs there is nothing to
keep, and an exception in the middle of an import ends in a traceback: the process ends at once.
Once the result is known it stands.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

_CODE = 130
_LAST_LINE = b"exit 130 (interrupted): interrupted before the command began; nothing was done\n"
_BOTH = (signal.SIGINT, signal.SIGTERM)
_AGAIN_S = 0.02
"""Seconds after which a destructor that has dropped an interrupt has ended."""


def leave_at_once_when_interrupted() -> None:
    """End this process at the first interrupt, with the promised last line and no traceback."""
    _handle(_leave)


def raise_when_interrupted() -> None:
    """Raise `KeyboardInterrupt` in the main thread at an interrupt.

    Python drops what is raised inside a destructor; there the interrupt is raised again after it.
    """
    _handle(_raise)
    sys.unraisablehook = _interrupt_again


def ignore_interrupts() -> None:
    """Let the process end with the exit code that it has."""
    for number in _BOTH:
        signal.signal(number, signal.SIG_IGN)


def _handle(handler: Callable[[int, FrameType | None], NoReturn]) -> None:
    """Install a handler, except for a signal that this process was started to ignore.

    A shell lets background jobs ignore Ctrl-C. Processes of torchrun end at SIGTERM at once: in
    the middle of an exchange with the others no Python code would run.
    """
    for number in _BOTH:
        by_torchrun = number == signal.SIGTERM and "TORCHELASTIC_RUN_ID" in os.environ
        if signal.getsignal(number) != signal.SIG_IGN and not by_torchrun:
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> NoReturn:
    try:
        os.write(2, _LAST_LINE)
    finally:
        os._exit(_CODE)


def _interrupt_again(dropped: Any) -> None:
    """Interrupt the main thread once more where an interrupt was dropped; report other errors."""
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    number = next((one for one in _BOTH if signal.getsignal(one) is _raise), None)
    if number is not None:
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()


def _raise(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
