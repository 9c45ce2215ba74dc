"""``videor1 tasks``: list the installed benchmarks, or show one: size, prompt, licence, data."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag, task_list
from harness.task import registry
from harness.task.suites import SUITES


class TasksCommand:
    """The ``tasks`` command."""

    help = "list the installed benchmarks, or show one: size, prompt, licence, data"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the benchmarks to show, and how."""
        parser.add_argument(
            "tasks",
            nargs="?",
            type=task_list,
            metavar="A,B",
            help="names, suites or files of benchmarks to show (default: list all)",
        )
        add_data_flag(parser)
        parser.add_argument(
            "--protocol",
            default="video-r1",
            metavar="video-r1|official|FILE.toml",
            help="protocol in which the example is asked (default: %(default)s)",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Print the list, or a page per named benchmark."""
        return _show(args.tasks, args.data, args.protocol) if args.tasks else _list_all()


def _list_all() -> CommandResult:
    """Print title, size, scorers and data source of every task."""
    from harness.cli.task_page import published_size
    from harness.text.console import make_console, styled

    console = make_console()
    names = sorted(registry.installed())
    for name in names:
        task = registry.get(name)
        scorers = [f"{s.tag} ({s.aggregation.name})" for s in task.scorers.values()]
        console.print(styled((name, "bold"), f"  {task.title}"))
        size = published_size(task)
        lines = [f"size     {size}"] if size else []
        for line in (*lines, f"scorers  {', '.join(scorers)}", f"data     {task.homepage}"):
            console.print(f"  {line}", soft_wrap=True)
    for suite, selections in SUITES.items():
        console.print(styled((suite, "bold"), f"  suite: {', '.join(selections)}"), soft_wrap=True)
    for prefix, point in sorted(registry.bridges().items()):
        console.print(styled((f"{prefix}:NAME", "bold"), f"  {point.load().title}"))
    return CommandResult(
        Exit.OK, f"{len(names)} tasks are installed; `videor1 tasks NAME` shows one"
    )


def _show(selections: Sequence[str], data: Path, protocol: str) -> CommandResult:
    """Print a page per benchmark."""
    from harness.cli.task_page import print_task_page, read_task_page
    from harness.run.config import EvalConfig
    from harness.run.protocol_files import find_protocol
    from harness.run.protocols import resolve_protocol
    from harness.run.selections import find_tasks, local_names
    from harness.task.protocol import PRESETS
    from harness.text.console import make_console

    console = make_console()
    found = find_protocol(protocol, local_names(find_tasks(selections)[0]))
    for at, selection in enumerate(selections):
        page = read_task_page(selection, data)
        protocols = {name: page.task.protocol(name) for name in PRESETS}
        if protocol not in protocols:
            protocols[protocol] = resolve_protocol(page.task, found, EvalConfig())[0]
        if at:
            console.print()
        print_task_page(console, page, protocols, protocol)
    return CommandResult(Exit.OK, f"{', '.join(selections)}")
