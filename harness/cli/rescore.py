"""``videor1 rescore``: the same responses under another scorer, and which items it changes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.cli.budget import completeness
from harness.cli.exits import CommandResult
from harness.cli.flags import add_data_flag, add_judge_flags, count, failure_budget, judge_config
from harness.run.config import FailureBudget

DEFAULT_SHOWN = 3


class RescoreCommand:
    """The ``rescore`` command."""

    help = "score a run's stored responses with another scorer and list what changes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument("run", type=Path, metavar="RUNDIR")
        parser.add_argument("--scorer", required=True, metavar="NAME", help="see `videor1 tasks`")
        add_data_flag(parser)
        parser.add_argument(
            "--include-path", type=Path, metavar="DIR", help="folder of the run's lmms-eval tasks"
        )
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
            help="where the list of all changed items goes (default: in RUNDIR)",
        )
        parser.add_argument(
            "--max-failures",
            type=failure_budget,
            default=FailureBudget(),
            metavar="N|P%",
            help="items without text accepted (default: 0)",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Score again, write the second score file and the page, print what changed."""
        from rich.console import Console

        from harness.rescore.report import (
            changes_page,
            print_changes,
        )
        from harness.rescore.rescore import (
            NewScorer,
            find_changes,
            plan_again,
            plan_as_stored,
            score_again,
            slug,
            write_scores,
        )
        from harness.run.store import (
            read_manifest,
            read_records,
        )
        from harness.run.summary import summarise_run

        manifest = read_manifest(args.run)
        before = {record.id: record for record in read_records(args.run)}
        choice = NewScorer(
            name=args.scorer,
            data=args.data,
            judge=judge_config(args),
            include_path=args.include_path,
        )
        plan = plan_again(manifest, choice)
        after = score_again(plan, before.values())
        results = summarise_run(plan, after)
        stored = summarise_run(plan_as_stored(plan, manifest), before)
        changes = {p.task.name: find_changes(p, before, after) for p in plan.tasks}
        scores = write_scores(args.run, args.scorer, plan, results, after)
        page = args.page or args.run / f"changes-{slug(args.scorer)}.html"
        title = f"{args.run.name}: what scorer {args.scorer} changes"
        page.write_text(changes_page(title, stored.tasks, results.tasks, changes), "utf-8")
        console = Console()
        print_changes(console, stored.tasks, results.tasks, changes, shown=args.show)
        console.print(f"scores in {scores}, every changed item in {page}", soft_wrap=True)
        return completeness(results, args.run, args.max_failures)
