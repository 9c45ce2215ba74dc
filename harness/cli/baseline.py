"""``videor1 baseline``: freeze a complete run into one small file for ``videor1 gate``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.cli.exits import CommandResult, Exit


class BaselineCommand:
    """The ``baseline`` command."""

    help = "freeze a run into a small file that later runs are compared with"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the run, the file and the policy to lock."""
        parser.add_argument("run", type=Path, metavar="RUNDIR", help="run or probe")
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
            help="lock this policy: `videor1 gate` refuses one that demands less",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Write the baseline of a complete run."""
        from harness.gate.baseline import freeze_run, write_baseline
        from harness.gate.policy import check_tasks, load_policy

        policy = load_policy(args.policy) if args.policy else None
        baseline = freeze_run(args.run, policy)
        if policy is not None:
            check_tasks(policy, baseline.tasks)
        write_baseline(args.out, baseline)
        locked = ", policy locked" if policy else ""
        size = f"{args.out.stat().st_size / 1000:,.0f} kB"
        return CommandResult(
            Exit.OK, f"{len(baseline.items):,} items in {args.out}, {size}{locked}"
        )
