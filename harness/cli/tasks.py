"""``videor1 tasks``: list the installed benchmarks, ours and those of other packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from harness.cli.exits import CommandResult, Exit
from harness.task import registry


class TasksCommand:
    """The ``tasks`` command."""

    help = "list the installed benchmarks with their scorers"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare no flags."""

    def run(self, args: Namespace) -> CommandResult:
        """Print title, scorers and data source of every task."""
        from rich.console import Console

        console = Console()
        names = sorted(registry.installed())
        for name in names:
            task = registry.get(name)
            scorers = [f"{s.tag} ({s.aggregation.name})" for s in task.scorers.values()]
            console.print(f"[bold]{name}[/bold]  {task.title}", highlight=False)
            for line in (f"scorers  {', '.join(scorers)}", f"data     {task.homepage}"):
                console.print(f"  {line}", soft_wrap=True, highlight=False)
        for prefix, point in sorted(registry.bridges().items()):
            console.print(f"[bold]{prefix}:NAME[/bold]  {point.load().title}", highlight=False)
        return CommandResult(Exit.OK, f"{len(names)} tasks are installed")
