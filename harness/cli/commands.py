"""What a command is, and how commands are found.

A command is an object with the attributes of `Command`, named in the entry-point group
``videor1.commands``; ours and those of other packages are found the same way. A command module
imports nothing heavy at its top, so that ``videor1 --help`` answers at once.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Protocol

from harness.cli.exits import CommandResult
from harness.plugins import discover

ENTRY_POINT_GROUP = "videor1.commands"


class Command(Protocol):
    """One subcommand of ``videor1``."""

    help: str
    """One line for ``videor1 --help``."""

    def configure(self, parser: ArgumentParser) -> None:
        """Declare flags; defaults come from the frozen config types alone."""

    def run(self, args: Namespace) -> CommandResult:
        """Do the work, print results to stdout, and say how it ended."""


def installed() -> dict[str, Command]:
    """Map command names to commands, in alphabetical order."""
    return {name: point.load()() for name, point in sorted(discover(ENTRY_POINT_GROUP).items())}


def run(command: Command, words: Sequence[str]) -> CommandResult:
    """Run a command on words as a shell would pass them, from another command."""
    parser = ArgumentParser(allow_abbrev=False)
    command.configure(parser)
    return command.run(parser.parse_args(words))
