"""``videor1 probe``: does a model need time at all? One engine, one decoding, all variants.

The same command resumes: each variant is a run directory of its own, and a finished one is kept.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.budget import completeness, without_unavailable
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.config import read_settings
from harness.errors import TooManyFailuresError
from harness.probe.config import NOT_FOR_PROBES, ProbeConfig
from harness.run.options import options_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.probe.run import ProbeJob, ProbeOutcome
    from harness.probe.table import ProbeTable


class ProbeCommand:
    """The ``probe`` command."""

    help = "ask the same questions with frames shuffled, reversed, single or none, options moved"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the checkpoint, the reports and one flag per field of `ProbeConfig`."""
        parser.add_argument("checkpoint", help="folder, LoRA adapter folder, hub id or served name")
        parser.add_argument(
            "--config",
            type=Path,
            metavar="FILE.toml",
            help="settings by the names of these flags (max_frames = 32; engine, decode and judge"
            " are tables); flags change them",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show protocol, variants, items, videos and what is missing; run nothing",
        )
        parser.add_argument(
            "--json", type=Path, metavar="FILE", help="write the results as JSON, as in probe.json"
        )
        parser.add_argument(
            "--summary", type=Path, metavar="FILE", help="append Markdown, e.g. to a step summary"
        )
        names = [one.name for one in options_of(ProbeConfig) if one.name not in NOT_FOR_PROBES]
        add_option_flags(parser, ProbeConfig, only=names)

    def run(self, args: Namespace) -> CommandResult:
        """Ask all variants, print scores and differences, and write the reports."""
        from harness.probe.run import prepare_probe
        from harness.text.console import make_console

        config = ProbeConfig() if args.config is None else read_settings(ProbeConfig, args.config)
        probe = prepare_probe(
            args.checkpoint, read_option_flags(args, config), start=not args.dry_run
        )
        errors = make_console(stderr=True)
        for selection, why in probe.job.plan.unavailable.items():
            errors.print(f"{selection} is left out: {why}", style="yellow", markup=False)
        if args.dry_run:
            return _print_dry_run(probe)
        return without_unavailable(probe.job.plan, _evaluate(args, probe, errors))


def _print_dry_run(probe: ProbeJob) -> CommandResult:
    from harness.cli.dryrun import print_dry_run
    from harness.text.console import make_console

    console = make_console()
    print_dry_run(console, probe.job)
    for name, plan in probe.asked.plans.items():
        console.print(f"variant {name}: {plan.n_answers} {plan.unit}", markup=False)
    for note in probe.asked.notes:
        console.print(note, style="yellow", markup=False)
    return CommandResult(Exit.OK, f"{probe.n_answers} answers are ready; nothing was run")


def _evaluate(args: Namespace, probe: ProbeJob, console: Console) -> CommandResult:
    from harness.probe.run import run_probe
    from harness.run.progress import ProgressBar

    try:
        outcome = run_probe(probe, ProgressBar(console))
    except KeyboardInterrupt:
        return CommandResult(
            Exit.INTERRUPTED, f"{_kept(probe)}; run the same command again to go on"
        )
    except TooManyFailuresError as error:
        _print_failures(probe)
        reason = f"{error}; {_kept(probe)}, the same command goes on"
        return CommandResult(Exit.INCOMPLETE, reason)
    _print_outcome(probe, outcome)
    _write_reports(args, outcome)
    return _conclude(probe, outcome)


def _kept(probe: ProbeJob) -> str:
    """Say how many answers the variants' run directories keep."""
    from harness.run.store import finished_keys, read_records

    kept = sum(
        len(finished_keys(read_records(member.out)))
        for member in probe.members
        if member.out.exists()
    )
    return f"{kept} of {probe.n_answers} answers are kept in {probe.out}"


def _print_failures(probe: ProbeJob) -> None:
    from harness.cli.tables import print_failures
    from harness.run.store import read_records
    from harness.text.console import make_console

    folders = [member.out for member in probe.members if member.out.exists()]
    print_failures(make_console(), [r for folder in folders for r in read_records(folder)])


def _print_outcome(probe: ProbeJob, outcome: ProbeOutcome) -> None:
    from rich.text import Text

    from harness.cli.tables import print_timing
    from harness.probe.table import make_tables, notes
    from harness.text.console import make_console
    from harness.text.shown import one_line

    console = make_console()
    for table in make_tables(outcome.summary):
        console.print(_draw(table))
    for note in notes(outcome.summary):
        console.print(Text(f"  {one_line(note)}", style="dim"))
    _print_failures(probe)
    if outcome.timing is not None:
        print_timing(console, outcome.timing)


def _draw(table: ProbeTable) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.text.shown import for_terminal

    drawn = Table(
        box=box.SIMPLE_HEAD,
        title=table.title or None,
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
        padding=(0, 1, 0, 0),
    )
    for place, heading in enumerate(table.header):
        text = place < table.texts
        drawn.add_column(heading, justify="left" if text else "right", overflow="fold")
    for row in table.rows:
        # The ends of an interval stand below its figure, or they would be broken anywhere.
        drawn.add_row(*(Text(for_terminal(cell.replace(" [", "\n["))) for cell in row))
    return drawn


def _write_reports(args: Namespace, outcome: ProbeOutcome) -> None:
    import json
    from dataclasses import asdict

    from harness.gate.export import write_text
    from harness.probe.table import as_markdown
    from harness.text.shown import for_json

    if args.json:
        text = json.dumps(asdict(outcome.summary), indent=2, ensure_ascii=False)
        write_text(args.json, for_json(text) + "\n")
    if args.summary:
        write_text(args.summary, as_markdown(outcome.summary), append=True)


def _conclude(probe: ProbeJob, outcome: ProbeOutcome) -> CommandResult:
    """Judge every variant as a run by itself."""
    if outcome.silent:
        return CommandResult(Exit.INCOMPLETE, "; ".join(outcome.silent))
    budget = probe.job.config.failure_budget
    reasons = [
        f"{name}: {found.reason}"
        for name, results in outcome.results.items()
        for found in [completeness(results, None, budget)]
        if found.code is not Exit.OK
    ]
    if reasons:
        return CommandResult(Exit.INCOMPLETE, f"{'; '.join(reasons)}; in {probe.out}")
    failed = sum(results.failed for results in outcome.results.values())
    accepted = f" ({failed} failed, within the budget)" if failed else ""
    return CommandResult(
        Exit.OK,
        f"{probe.n_answers} answers in {len(outcome.results)} variants in {probe.out}"
        f" done{accepted}",
    )
