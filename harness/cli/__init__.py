"""The ``videor1`` command line: finds the command, runs it, says how it ended."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NoReturn

from harness.cli import commands
from harness.cli.exits import CommandResult, Exit
from harness.errors import BackendError, UsageError


def program() -> NoReturn:
    """Run the process's own command line and end the process."""
    code = main()
    if "torch" in sys.modules:
        _leave_at_once(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; the last line printed says which and why."""
    verdict = _run(argv)
    print(verdict, file=sys.stderr)  # noqa: T201 - the promised last line
    return int(verdict.code)


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


def _run(argv: Sequence[str] | None) -> CommandResult:
    try:
        args = _parser().parse_args(argv)
        verdict: CommandResult = args.command.run(args)
    except UsageError as error:
        return CommandResult(Exit.USAGE, str(error))
    except BackendError as error:
        return CommandResult(Exit.INCOMPLETE, str(error))
    except KeyboardInterrupt:
        return CommandResult(Exit.INTERRUPTED, "interrupted; run the same command again to go on")
    return verdict


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="videor1", description="Evaluate and train video-reasoning models.", allow_abbrev=False
    )
    names = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in commands.installed().items():
        sub = names.add_parser(
            name, help=command.help, description=command.help, allow_abbrev=False
        )
        command.configure(sub)
        sub.set_defaults(command=command)
    return parser
