"""``videor1 annotate``: a checkpoint writes rationales for training rows.

What the model wrote is kept in a run directory beside the output (``OUT.run``); the same command
resumes.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.select import ResolvedEngine, resolve_engine
from harness.cli.evaluate import interrupted
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.errors import UsageError
from trainer.config.annotation import AnnotateConfig
from trainer.config.choices import MediaCheck, OnBadRow
from trainer.config.sections import DataSettings, FrameSettings

if TYPE_CHECKING:
    from rich.console import Console

    from harness.schema import Kind, Record
    from trainer.data.annotate import Tally
    from trainer.data.rows import TrainingRow


class AnnotateCommand:
    """The ``annotate`` command."""

    help = "have a checkpoint write rationales for training rows; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare rows, checkpoint and output, and one flag per field of `AnnotateConfig`."""
        parser.add_argument(
            "--rows",
            type=Path,
            nargs="+",
            required=True,
            metavar="FILE",
            help="training rows, .json or .jsonl",
        )
        parser.add_argument(
            "--media-root",
            type=Path,
            nargs="+",
            required=True,
            metavar="DIR",
            help="folders that the rows' paths are looked for in",
        )
        parser.add_argument(
            "--checkpoint", required=True, help="folder or hub id, as for `videor1 eval`"
        )
        parser.add_argument(
            "--out",
            type=Path,
            required=True,
            metavar="FILE",
            help="file for the rows that are kept, .json or .jsonl",
        )
        add_option_flags(parser, AnnotateConfig)

    def run(self, args: Namespace) -> CommandResult:
        """Annotate, and write the rows that are kept."""
        from harness.text.console import make_console

        config = read_option_flags(args, AnnotateConfig())
        engine = resolve_engine(args.checkpoint, config.engine)
        return annotate_rows(args, config, make_console(stderr=True), engine)


def annotate_rows(
    args: Namespace, config: AnnotateConfig, console: Console, engine: ResolvedEngine
) -> CommandResult:
    """Answer what is still open with `engine`, then write the kept rows and count them."""
    from harness.run.evaluate import evaluate_plan
    from harness.run.items import ItemChoice
    from harness.run.manifest import describe_run
    from harness.run.progress import ProgressBar
    from harness.run.store import read_records
    from trainer.data.annotate import make_plan
    from trainer.rewards.rewards import require

    folder = args.out.with_name(f"{args.out.name}.run")
    if args.out.exists() and not folder.exists():
        raise UsageError(f"{args.out} exists and is not of this command; choose another --out")
    rows = _read_rows(args, config, engine.patch_multiple)
    require({row.sample.kind for row in rows})
    plan = make_plan(rows, args.rows, config.frames, config.sampling)
    manifest = describe_run(
        plan, engine, named=args.checkpoint, choice=ItemChoice(limit=config.limit), argv=sys.argv
    )
    try:
        evaluate_plan(
            plan,
            engine,
            folder,
            manifest=manifest,
            decoding=config.decode,
            observer=ProgressBar(console),
        )
    except KeyboardInterrupt:
        return interrupted(folder, len(rows), "rows")
    records = {record.id: record for record in read_records(folder)}
    return _conclude(args, config, rows, records)


def _read_rows(
    args: Namespace, config: AnnotateConfig, patch_multiple: int
) -> Sequence[TrainingRow]:
    from harness.text.console import make_console
    from trainer.cli.rows_view import print_report
    from trainer.data.checks import RowNeeds, check_rows

    data = DataSettings(
        rows=tuple(args.rows),
        media_roots=tuple(args.media_root),
        limit=config.limit,
        check=MediaCheck.EXISTS,  # a damaged file becomes a failed item
    )
    report = check_rows(data, FrameSettings(), patch_multiple=patch_multiple, needs=RowNeeds())
    if report.bad:
        print_report(make_console(), report)
    return report.require(OnBadRow.EXCLUDE if config.exclude_bad_rows else OnBadRow.STOP)


def _conclude(
    args: Namespace,
    config: AnnotateConfig,
    rows: Sequence[TrainingRow],
    records: Mapping[str, Record],
) -> CommandResult:
    """Write the kept rows, print the share kept per problem type, and judge completeness."""
    from harness.cli.tables import print_failures
    from harness.text.console import make_console
    from trainer.data.annotate import tally, write_annotated

    write_annotated(args.out, rows, records, args.rows, config.min_reward)
    counts = tally(rows, records, config.min_reward)
    console = make_console()
    _print_tally(console, counts)
    print_failures(console, records.values())
    kept, failed = (sum(getattr(c, name) for c in counts.values()) for name in ("kept", "failed"))
    if not config.failure_budget.allows(failed, len(rows)):
        return CommandResult(
            Exit.INCOMPLETE,
            f"{failed} of {len(rows)} rows failed, more than --max-failures"
            f" {config.max_failures}; the same command tries them again; {kept} kept rows are in"
            f" {args.out}",
        )
    return CommandResult(Exit.OK, f"{kept} of {len(rows)} rows kept in {args.out}")


def _print_tally(console: Console, counts: Mapping[Kind, Tally]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("problem type", style="bold", no_wrap=True)
    for heading in ("rows", "kept", "share kept", "reward too low", "no rationale", "failed"):
        table.add_column(heading, justify="right")
    for kind, one in counts.items():
        figures = (one.below, one.no_rationale, one.failed)
        share = f"{one.kept / one.rows:.1%}"
        table.add_row(kind, str(one.rows), str(one.kept), share, *map(str, figures))
    console.print(table)
