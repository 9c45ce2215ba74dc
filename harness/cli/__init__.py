"""The ``videor1`` command line: find the command, run it, say how it ended.

Imports are inside the functions: Ctrl-C during an import ends in a traceback, so that `program`
first says what an interrupt does.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from harness.cli.exits import CommandResult


def program() -> NoReturn:
    """Run the process's own command line and end the process."""
    from harness.cli import signals
    from harness.cli.exits import Exit

    signals.leave_at_once_when_interrupted()
    from harness.cli.output import protect_streams

    protect_streams()
    code = main(starting=signals.raise_when_interrupted, ending=signals.ignore_interrupts)
    # An interrupt while a class is made from text (dataclasses, named tuples) leaves a mark in
    # CPython: whatever becomes of the exception, `sys.exit` would end with SIGINT.
    if "torch" in sys.modules or code == Exit.INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _do_nothing() -> None:
    """Leave signals as they are: the default, for callers with handlers of their own."""


def main(
    argv: Sequence[str] | None = None,
    *,
    starting: Callable[[], None] = _do_nothing,
    ending: Callable[[], None] = _do_nothing,
) -> int:
    """Run one command and return its exit code; the last line printed says which and why.

    Args:
        argv: What follows ``videor1``; None: this process's own.
        starting: Called before the command runs.
        ending: Called when its result is known.
    """
    from harness.text.shown import one_line

    words = sys.argv[1:] if argv is None else argv
    result = _run(words, starting)
    try:
        ending()
    except KeyboardInterrupt:  # in the instant before: the result stands
        ending()
    result = _check_output(result)
    _print_last_line(one_line(str(result)))
    return int(result.code)


def _run(words: Sequence[str], starting: Callable[[], None]) -> CommandResult:
    """Run one command; whatever it raises becomes a result."""
    try:
        return _dispatch(words, starting)
    except BaseException as error:  # noqa: BLE001 - Python would end with 1, which means regression
        from harness.cli.faults import result_of

        return result_of(error)


def _dispatch(words: Sequence[str], starting: Callable[[], None]) -> CommandResult:
    """Print the help or the version, or load the command that is named and run it."""
    from harness.cli import commands
    from harness.cli.exits import CommandResult, Exit
    from harness.plugins import installed_version

    points = commands.entry_points()
    if not words or words[0] in ("-h", "--help"):
        _print(commands.overview(points))
        return CommandResult(Exit.OK, "printed the list of commands")
    name, *rest = words
    if name == "--version":
        _print(f"videor1 {installed_version()}\n")
        return CommandResult(Exit.OK, "printed the version")
    if name not in points:
        raise commands.unknown_command(name, points)
    command = points[name].load()()
    try:
        starting()
        return commands.run(command, rest, prog=f"videor1 {name}")
    except commands.HelpPrinted:
        return CommandResult(Exit.OK, "printed the help")


def _print(text: str) -> None:
    sys.stdout.write(text)


def _check_output(result: CommandResult) -> CommandResult:
    """Flush what was printed; output that cannot be written makes a success incomplete.

    What a command found out (a verdict, items that failed) holds whatever becomes of its output.
    """
    from harness.cli.exits import CommandResult, Exit
    from harness.cli.output import discard, lost_output

    try:
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)  # the interpreter flushes once more when it ends
        lost: str | None = error.strerror or str(error)
    else:
        lost = lost_output(sys.stdout)
    if lost is None:
        return result
    note = f"the output cannot be written: {lost}"
    if result.code is Exit.OK and not result.holds:
        return CommandResult(Exit.INCOMPLETE, note)
    return CommandResult(result.code, f"{result.reason}; {note}")


def _print_last_line(text: str) -> None:
    """Print the promised last line, where standard error can still be written."""
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):
        from harness.cli.output import discard

        discard(sys.stderr)


def _leave_at_once(code: int) -> NoReturn:
    """End the process without taking torch and vLLM apart object by object.

    That takes two seconds and frees nothing that the system does not free anyway. What libraries
    have registered for the end, and threads that must finish, are waited for.
    """
    import atexit
    import threading

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
