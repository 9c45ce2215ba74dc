"""``videor1 baseline``: freeze a finished run into one small file for `videor1 gate`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.cli.exits import CommandResult, Exit


class BaselineCommand:
    """The ``baseline`` command."""

    help = "freeze a run into a small file that later runs are gated against"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the run, the file and the policy to lock."""
        parser.add_argument("run", type=Path, metavar="RUNDIR")
        parser.add_argument(
            "-o",
            "--out",
            type=Path,
            required=True,
            metavar="FILE.parquet",
            help="where to write it, for example results/baselines/NAME.parquet",
        )
        parser.add_argument(
            "--policy",
            type=Path,
            metavar="FILE.toml",
            help="lock this policy: a gate that demands less is refused",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Write the baseline of a complete run."""
        from harness.gate.baseline import (
            freeze,
            unfinished,
            write_baseline,
        )
        from harness.gate.policy import (
            check_tasks,
            load_policy,
        )
        from harness.run.store import (
            read_manifest,
            read_records,
        )

        manifest, records = read_manifest(args.run), read_records(args.run)
        policy = load_policy(args.policy) if args.policy else None
        gaps = unfinished(manifest, records)
        if gaps and records:
            return CommandResult(Exit.INCOMPLETE, f"{args.run} is no baseline: {'; '.join(gaps)}")
        baseline = freeze(manifest, records, policy)
        if policy is not None:
            check_tasks(policy, baseline.tasks)
        write_baseline(args.out, baseline)
        locked = ", policy locked" if policy else ""
        size = f"{args.out.stat().st_size / 1000:,.0f} kB"
        return CommandResult(
            Exit.OK, f"{len(baseline.items):,} items in {args.out}, {size}{locked}"
        )
