"""``videor1 eval``: one command from a checkpoint to scores.

The same command resumes: finished items are kept, open and failed ones are asked, and a finished
run is a no-op.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.budget import completeness, without_unavailable
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.config import read_settings
from harness.errors import TooManyFailuresError
from harness.run.config import EvalConfig

if TYPE_CHECKING:
    from rich.console import Console

    from harness.replicas.standing import ReplicaState
    from harness.run.evaluate import EvalJob
    from harness.run.timing import Timing


class EvalCommand:
    """The ``eval`` command."""

    help = "evaluate a checkpoint on the benchmarks; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the checkpoint and one flag per field of `EvalConfig`."""
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
            help="show protocol, items, videos and what is missing; run nothing",
        )
        add_option_flags(parser, EvalConfig)

    def run(self, args: Namespace) -> CommandResult:
        """Evaluate, or with ``--dry-run`` only say what would be done."""
        from harness.run.evaluate import prepare
        from harness.text.console import make_console

        config = _read_config(args.config)
        job = prepare(args.checkpoint, read_option_flags(args, config), start=not args.dry_run)
        errors = make_console(stderr=True)
        for selection, why in job.plan.unavailable.items():
            errors.print(f"{selection} is left out: {why}", style="yellow")
        if args.dry_run:
            from harness.cli.dryrun import print_dry_run

            return print_dry_run(make_console(), job)
        return without_unavailable(job.plan, _evaluate(job, errors))


def _read_config(path: Path | None) -> EvalConfig:
    return EvalConfig() if path is None else read_settings(EvalConfig, path)


def _evaluate(job: EvalJob, console: Console) -> CommandResult:
    from harness.run.evaluate import run_job
    from harness.run.progress import ProgressBar

    bar = ProgressBar(console)
    try:
        _, timing = run_job(job, bar)
    except KeyboardInterrupt:
        return interrupted(job.out, job.plan.n_answers, job.plan.unit)
    except TooManyFailuresError as error:
        return _stopped(job, error)
    return _conclude(job, timing, bar.last_replicas)


def _stopped(job: EvalJob, error: TooManyFailuresError) -> CommandResult:
    """Return exit 4 for a run that its failures have ended, after a list of them."""
    from harness.cli.tables import print_failures
    from harness.run.store import finished_keys, read_records
    from harness.text.console import make_console

    records = read_records(job.out)
    print_failures(make_console(), records)
    return CommandResult(
        Exit.INCOMPLETE,
        f"{error}; {len(finished_keys(records))} of {job.plan.n_answers} {job.plan.unit} are"
        f" kept in {job.out}, the same command goes on",
    )


def _conclude(
    job: EvalJob, timing: Timing | None, replicas: Sequence[ReplicaState]
) -> CommandResult:
    """Print the tables of a finished run and judge whether it is complete."""
    from harness.cli.tables import print_results
    from harness.run.silence import find_silence
    from harness.run.store import read_records
    from harness.run.summary import summarise_run
    from harness.text.console import make_console

    records = read_records(job.out)
    results = summarise_run(job.plan, records)
    print_results(make_console(), results.tasks, records, timing, replicas)
    complete = completeness(results, job.out, job.config.failure_budget)
    silent = find_silence(records)
    return CommandResult(Exit.INCOMPLETE, "; ".join(silent)) if silent else complete


def interrupted(folder: Path, total: int, unit: str = "items") -> CommandResult:
    """Return exit 130, saying how many items a run directory keeps."""
    from harness.run.store import finished_keys, read_records

    kept = len(finished_keys(read_records(folder))) if folder.exists() else 0
    return CommandResult(
        Exit.INTERRUPTED,
        f"{kept} of {total} {unit} are kept in {folder}; run the same command again to go on",
    )
