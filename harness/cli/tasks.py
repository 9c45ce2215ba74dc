"""``videor1 tasks``: list the installed benchmarks, ours and those of other packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from harness.cli.exits import CommandResult, Exit
from harness.task import registry
from harness.task.suites import SUITES


class TasksCommand:
    """The ``tasks`` command."""

    help = "list the installed benchmarks with their scorers"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare no flags."""

    def run(self, args: Namespace) -> CommandResult:
        """Print title, scorers and data source of every task."""
        from harness.text.console import make_console, styled

        console = make_console()
        names = sorted(registry.installed())
        for name in names:
            task = registry.get(name)
            scorers = [f"{s.tag} ({s.aggregation.name})" for s in task.scorers.values()]
            console.print(styled((name, "bold"), f"  {task.title}"))
            for line in (f"scorers  {', '.join(scorers)}", f"data     {task.homepage}"):
                console.print(f"  {line}", soft_wrap=True)
        for suite, selections in SUITES.items():
            console.print(
                styled((suite, "bold"), f"  suite: {', '.join(selections)}"), soft_wrap=True
            )
        for prefix, point in sorted(registry.bridges().items()):
            console.print(styled((f"{prefix}:NAME", "bold"), f"  {point.load().title}"))
        return CommandResult(Exit.OK, f"{len(names)} tasks are installed")
