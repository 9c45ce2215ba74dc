"""``videor1 protocol``: write the protocol of a run, a preset or a file as a protocol file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import task_list
from harness.run.config import DEFAULT_TASKS

if TYPE_CHECKING:
    from harness.task.protocol import Protocol


class ProtocolCommand:
    """The ``protocol`` command."""

    help = "write the protocol of a run, a preset or a file as a protocol file"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare where the protocol comes from and where it is written."""
        parser.add_argument(
            "source",
            metavar="RUN|PRESET|FILE.toml",
            help="run directory, video-r1, official, or protocol file",
        )
        parser.add_argument(
            "--tasks",
            type=task_list,
            default=DEFAULT_TASKS,
            metavar="A,B",
            help=f"tasks of a preset or file (default: {','.join(DEFAULT_TASKS)}); a run has its"
            " own",
        )
        parser.add_argument(
            "-o", "--out", type=Path, metavar="FILE.toml", help="file to write (default: print it)"
        )

    def run(self, args: Namespace) -> CommandResult:
        """Print or write every field, so that a later version of a preset changes nothing."""
        from harness.run.protocol_toml import protocol_toml, write_protocol_file

        protocols = _find_protocols(args.source, args.tasks)
        heading = f"protocol of {args.source}"
        if args.out is None:
            sys.stdout.write(protocol_toml(protocols, heading))
            return CommandResult(Exit.OK, f"{heading}: {len(protocols)} tasks")
        write_protocol_file(args.out, protocols, heading)
        return CommandResult(Exit.OK, f"{heading}, {len(protocols)} tasks, is in {args.out}")


def _find_protocols(source: str, tasks: tuple[str, ...]) -> dict[str, Protocol]:
    from harness.run.config import EvalConfig
    from harness.run.protocol_files import find_protocol, stored_protocols
    from harness.run.protocols import resolve_protocol
    from harness.run.selections import find_tasks, local_names
    from harness.run.store import is_run

    asked = find_tasks(tasks)[0]
    found = find_protocol(source, local_names(asked))
    if found.closed and is_run(Path(source)):
        return stored_protocols(Path(source))
    return {task.name: resolve_protocol(task, found, EvalConfig())[0] for task in asked.values()}
