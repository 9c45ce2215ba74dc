"""``videor1 gate``: is a run worse than a baseline? Needs no model, no data, no network."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.gate.baseline import Baseline
    from harness.gate.policy import Policy
    from harness.gate.verdict import GateResult as GateResult


class GateResult:
    """The ``gate`` command."""

    help = "compare a run with a baseline: PASS, REGRESSION or INCONCLUSIVE"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare both sides, what is demanded and where to report."""
        parser.add_argument("baseline", type=Path, metavar="BASELINE")
        parser.add_argument("run", type=Path, metavar="RUNDIR")
        parser.add_argument(
            "--margin",
            type=margin,
            metavar="PP",
            help="points any task may have dropped by (default: the locked policy's, else 2)",
        )
        parser.add_argument(
            "--overall-margin",
            type=margin,
            metavar="PP",
            help="require the mean over the tasks too, at this margin",
        )
        parser.add_argument("--policy", type=Path, metavar="FILE.toml", help="margins per task")
        parser.add_argument(
            "--unlock", action="store_true", help="accept a policy looser than the locked one"
        )
        parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON")
        parser.add_argument(
            "--summary", type=Path, metavar="FILE", help="append Markdown, e.g. a step summary"
        )

    def run(self, args: Namespace) -> CommandResult:
        """Judge, print, write the files asked for."""
        from rich.console import Console

        from harness.gate.baseline import read_baseline
        from harness.gate.report import (
            print_gate,
            verdict_sentence,
        )
        from harness.gate.verdict import judge_run
        from harness.run.store import (
            read_manifest,
            read_records,
        )

        baseline = read_baseline(args.baseline)
        policy = _policy(args, baseline)
        gate = judge_run(baseline, read_manifest(args.run), read_records(args.run), policy)
        reason = verdict_sentence(gate)
        print_gate(Console(), gate)
        _write(args, gate, reason)
        return CommandResult(_exit(gate), reason)


def margin(text: str) -> float:
    """Read a margin in points, 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"expected points from 0 to 100, got {text!r}")
    return value


def _policy(args: Namespace, baseline: Baseline) -> Policy:
    """Return the policy of the flags, of the file or of the lock, and hold it to the lock."""
    from harness.gate.policy import (
        Policy,
        check_tasks,
        load_policy,
        loosened,
    )

    locked = baseline.policy
    if args.policy and (args.margin is not None or args.overall_margin is not None):
        raise UsageError("--policy holds the margins; leave out --margin and --overall-margin")
    policy = load_policy(args.policy) if args.policy else _from_flags(args, locked or Policy())
    check_tasks(policy, baseline.tasks)
    loose = loosened(policy, locked, baseline.tasks) if locked else []
    if loose and not args.unlock:
        raise UsageError(
            f"{args.baseline} locks a policy and this one demands less: {'; '.join(loose)}."
            " Freeze the baseline again with the new policy, or say --unlock"
        )
    return policy


def _from_flags(args: Namespace, preset: Policy) -> Policy:
    """Apply the margin flags; ``--margin`` speaks of every task."""
    from dataclasses import replace

    from harness.gate.policy import Rule

    if args.margin is not None:
        tasks = {name: replace(rule, margin=None) for name, rule in preset.tasks.items()}
        preset = replace(preset, margin=args.margin, tasks=tasks)
    if args.overall_margin is not None:
        preset = replace(preset, overall=Rule(margin=args.overall_margin))
    return preset


def _write(args: Namespace, gate: GateResult, reason: str) -> None:
    from harness.gate.export import (
        as_json,
        as_junit,
        write_text,
    )
    from harness.gate.report import markdown

    if args.json:
        write_text(args.json, as_json(gate, reason))
    if args.junit:
        write_text(args.junit, as_junit(gate))
    if args.summary:
        write_text(args.summary, markdown(gate), append=True)


def _exit(gate: GateResult) -> Exit:
    from harness.gate.verdict import Verdict

    return {
        Verdict.PASS: Exit.OK,
        Verdict.REGRESSION: Exit.REGRESSION,
        Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
        Verdict.INCOMPLETE: Exit.INCOMPLETE,
    }[gate.verdict]
