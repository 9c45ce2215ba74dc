"""The ``videor1`` command line: find the command, run it, say how it ended."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from harness.cli.exits import CommandResult, Exit
from harness.plugins import installed_version
from harness.text.shown import one_line


def program() -> NoReturn:
    """Run the process's own command line and end the process."""
    from harness.cli.output import tolerate_closed_pipes

    tolerate_closed_pipes()
    code = main()
    if "torch" in sys.modules:
        _leave_at_once(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; the last line printed says which and why."""
    result = _check_output(_run(sys.argv[1:] if argv is None else argv))
    print(one_line(str(result)), file=sys.stderr)  # noqa: T201 - the promised last line
    return int(result.code)


def _run(words: Sequence[str]) -> CommandResult:
    """Run one command; whatever it raises becomes a result."""
    try:
        return _dispatch(words)
    except BaseException as error:  # noqa: BLE001 - Python would end with 1, which means regression
        from harness.cli.faults import result_of

        return result_of(error)


def _dispatch(words: Sequence[str]) -> CommandResult:
    """Print the help or the version, or load the command that is named and run it."""
    from harness.cli import commands

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
    try:
        return commands.run(points[name].load()(), rest, prog=f"videor1 {name}")
    except commands.HelpPrinted:
        return CommandResult(Exit.OK, "printed the help")


def _print(text: str) -> None:
    sys.stdout.write(text)


def _check_output(result: CommandResult) -> CommandResult:
    """Flush what was printed; output that cannot be written makes the command incomplete."""
    try:
        sys.stdout.flush()
    except OSError as error:
        from harness.cli.output import discard

        discard(sys.stdout)  # the interpreter flushes once more when it ends
        reason = f"the output cannot be written: {error.strerror or error}"
        return CommandResult(Exit.INCOMPLETE, reason)
    return result


def _leave_at_once(code: int) -> NoReturn:
    """End the process without taking torch and vLLM apart object by object.

    That takes two seconds and frees nothing that the system does not free anyway. What libraries
    have registered for the end, and threads that must finish, are waited for.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
