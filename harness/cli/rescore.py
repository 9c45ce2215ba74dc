"""``videor1 rescore``: the same responses with another scorer, and which items it changes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.cli.exits import CommandResult
from harness.cli.flags import (
    add_data_flag,
    add_failures_flag,
    add_judge_flags,
    add_reasoning_flag,
    count,
    judge_config,
    task_list,
)

DEFAULT_SHOWN = 3


class RescoreCommand:
    """The ``rescore`` command."""

    help = "score a run's stored responses with another scorer and list what changes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the run, the scorer and what to show."""
        parser.add_argument("run", type=Path, metavar="RUNDIR", help="run directory")
        parser.add_argument(
            "--scorer",
            required=True,
            metavar="NAME",
            help="the other scorer; `videor1 tasks` lists them",
        )
        add_data_flag(parser)
        parser.add_argument(
            "--tasks",
            type=task_list,
            default=(),
            metavar="FILE,..",
            help="files of the run's own benchmarks: needed for a class in FILE.py, and for tables"
            " that have moved",
        )
        parser.add_argument(
            "--include-path", type=Path, metavar="DIR", help="folder of the run's lmms-eval tasks"
        )
        add_reasoning_flag(parser)
        add_judge_flags(parser)
        parser.add_argument(
            "--show",
            type=count,
            default=DEFAULT_SHOWN,
            metavar="N",
            help="examples printed per reason; the page has all (default: %(default)s)",
        )
        parser.add_argument(
            "--page",
            type=Path,
            metavar="FILE.html",
            help="page that lists all changed items (default: RUNDIR/changes-SCORER.html)",
        )
        add_failures_flag(parser, of="items (those without text)")

    def run(self, args: Namespace) -> CommandResult:
        """Score again, write the second score file and the page, print what changed."""
        from harness.cli.budget import completeness
        from harness.rescore.report import print_rescored, rescore_page
        from harness.rescore.rescore import RescoreConfig, file_part, rescore_run
        from harness.text.console import make_console

        config = RescoreConfig(
            scorer=args.scorer,
            data=args.data,
            judge=judge_config(args),
            include_path=args.include_path,
            files=args.tasks,
            reasoning=args.reasoning,
        )
        run = rescore_run(args.run, config)
        page = args.page or args.run / f"changes-{file_part(args.scorer)}.html"
        title = f"{args.run.name}: what scorer {args.scorer} changes"
        page.write_text(rescore_page(title, run), encoding="utf-8")
        console = make_console()
        print_rescored(console, run, shown=args.show)
        console.print(f"scores in {run.scores_file}, all changed items in {page}", soft_wrap=True)
        return completeness(run.after, args.run, args.max_failures)
