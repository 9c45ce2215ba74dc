"""What a command is, and how commands are found.

A command is an object with the attributes of `Command`, named in the entry-point group
``videor1.commands``; ours and those of other packages are found the same way. Only the command
that is called is imported.
"""

from __future__ import annotations

import ast
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, Protocol

from harness.cli.exits import CommandResult
from harness.errors import UsageError, did_you_mean
from harness.plugins import discover

ENTRY_POINT_GROUP = "videor1.commands"


class Command(Protocol):
    """One subcommand of ``videor1``."""

    help: str
    """One line for ``videor1 --help``; a plain string in the class is read without an import."""

    def configure(self, parser: ArgumentParser) -> None:
        """Declare flags; defaults come from the frozen config types alone."""

    def run(self, args: Namespace) -> CommandResult:
        """Do the work, print results to stdout, and return how it ended."""


class Parser(ArgumentParser):
    """An argument parser that raises a `UsageError` where the standard one ends the process."""

    _words: Sequence[str] = ()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Parse words; those that a subcommand does not know are its error, with its flags.

        Raises:
            UsageError: The words are not what the command takes.
        """
        self._words = list(args or ())
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and raise; name the flags nearest to unknown ones.

        Raises:
            UsageError: Always.
        """
        self.print_usage(sys.stderr)
        known = set(re.findall(r"--[\w-]+", self.format_usage()))
        given = [word.partition("=")[0] for word in self._words if word.startswith("--")]
        unknown = dict.fromkeys(flag for flag in given if flag not in known and len(flag) > 2)
        near = "".join(did_you_mean(flag, known) for flag in unknown)
        raise UsageError(f"{message}{near} (see: {self.prog} --help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise `HelpPrinted`; argparse calls this after it has printed the help."""
        raise HelpPrinted(status)


class HelpPrinted(SystemExit):
    """The command printed its help and has nothing else to do."""


def entry_points() -> dict[str, EntryPoint]:
    """Map the names of installed commands to their entry points, in alphabetical order."""
    return dict(sorted(discover(ENTRY_POINT_GROUP).items()))


def run(command: Command, words: Sequence[str], prog: str = "videor1") -> CommandResult:
    """Run a command on the words that a shell would pass it.

    Raises:
        UsageError: The words are not what the command takes.
        HelpPrinted: They ask for the command's help, which has been printed.
    """
    parser = Parser(prog=prog, description=command.help, allow_abbrev=False)
    command.configure(parser)
    return command.run(parser.parse_args(words))


def overview(points: Mapping[str, EntryPoint]) -> str:
    """Return the text of ``videor1 --help``: every command with its one line."""
    parser = Parser(prog="videor1", description="Evaluate and train video-reasoning models.")
    parser.add_argument("--version", action="store_true", help="print the version")
    names = parser.add_subparsers(metavar="COMMAND")
    for name, point in points.items():
        names.add_parser(name, help=read_help(point).replace("%", "%%"), add_help=False)
    return parser.format_help()


def unknown_command(name: str, points: Mapping[str, EntryPoint]) -> UsageError:
    """Build the error for a command that is not installed, with the name that is nearest."""
    if name.startswith("-"):
        return UsageError(f"{name} is not an option of videor1 itself; see: videor1 --help")
    near = did_you_mean(name, points, shown="videor1 {}")
    return UsageError(f"there is no command {name!r}{near or '; there are ' + ', '.join(points)}")


def read_help(point: EntryPoint) -> str:
    """Return a command's one-line help, from its source where that says it in a plain string.

    Importing every command for a list of them would cost more than all else that is done for it.
    """
    text = _read_static_help(point)
    if text is not None:
        return text
    try:
        return str(point.load().help)
    except Exception as error:  # noqa: BLE001 - another package's broken command is listed as such
        return f"cannot be loaded: {type(error).__name__}: {error}"


def _read_static_help(point: EntryPoint) -> str | None:
    """Return the string that the command's class assigns to ``help``, None where it does not."""
    try:
        spec = find_spec(point.module)
        origin = spec.origin if spec else None
        source = Path(origin).read_text(encoding="utf-8") if origin else ""
        tree = ast.parse(source)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == point.attr:
            return next(filter(None, map(_string_of_help, node.body)), None)
    return None


def _string_of_help(node: ast.stmt) -> str | None:
    """Return the string of ``help = "..."``, None for another statement."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)):
        return None
    named = any(isinstance(target, ast.Name) and target.id == "help" for target in node.targets)
    return str(node.value.value) if named else None
