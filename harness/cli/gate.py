"""``videor1 gate``: is a run worse than a baseline? Needs no model, no data, no network."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.gate.policy import Policy, Rule
    from harness.gate.result import GateResult, Verdict


class GateCommand:
    """The ``gate`` command."""

    help = "compare a run with a baseline: PASS, REGRESSION or INCONCLUSIVE"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare both sides, the accepted drop and the reports to write."""
        parser.add_argument(
            "baseline",
            type=Path,
            metavar="BASELINE",
            help="file of `videor1 baseline`, another run directory, or a probe's folder",
        )
        parser.add_argument("run", type=Path, metavar="RUNDIR", help="run or probe to be judged")
        parser.add_argument(
            "--margin",
            type=margin,
            metavar="PP",
            help="accepted drop of every task in points (default: the locked policy's, else 2)",
        )
        parser.add_argument(
            "--overall-margin",
            type=margin,
            metavar="PP",
            help="also require the mean over the tasks, with this accepted drop",
        )
        parser.add_argument("--policy", type=Path, metavar="FILE.toml", help="margins per task")
        parser.add_argument(
            "--unlock", action="store_true", help="accept a policy looser than the locked one"
        )
        parser.add_argument(
            "--common",
            action="store_true",
            help="judge only the items that both sides have, for example a --limit run against a"
            " full baseline; protocols and question files must still be the same",
        )
        parser.add_argument(
            "--allow-inconclusive",
            action="store_true",
            help="end with exit code 0 instead of 3 where there are too few items to tell",
        )
        parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON")
        parser.add_argument(
            "--summary", type=Path, metavar="FILE", help="append Markdown, e.g. to a step summary"
        )

    def run(self, args: Namespace) -> CommandResult:
        """Compare, print the result and write the reports."""
        from harness.gate.compare import compare_runs, read_reference
        from harness.gate.report import print_gate, verdict_sentence
        from harness.text.console import make_console

        baseline = read_reference(args.baseline)
        policy = _read_policy(args, baseline.policy)
        gate = compare_runs(
            baseline,
            args.run,
            policy,
            unlock=args.unlock,
            common=args.common,
        )
        reason = verdict_sentence(gate)
        print_gate(make_console(), gate)
        _write_reports(args, gate, reason)
        return CommandResult(_exit_of_gate(gate), reason, holds=True)


def margin(text: str) -> float:
    """Read a margin in points, 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"expected points from 0 to 100, got {text!r}")
    return value


def exit_of(verdict: Verdict) -> Exit:
    """Return the exit code of a verdict."""
    from harness.gate.result import Verdict

    return {
        Verdict.PASS: Exit.OK,
        Verdict.REGRESSION: Exit.REGRESSION,
        Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
        Verdict.INCOMPLETE: Exit.INCOMPLETE,
    }[verdict]


def _exit_of_gate(gate: GateResult) -> Exit:
    """Return the exit code of a verdict under its policy."""
    from harness.gate.result import Verdict

    allowed = gate.verdict is Verdict.INCONCLUSIVE and gate.policy.allow_inconclusive
    return Exit.OK if allowed else exit_of(gate.verdict)


def _read_policy(args: Namespace, locked: Policy | None) -> Policy:
    """Return the policy of the file or of the flags; what they do not say is as locked."""
    from dataclasses import replace

    from harness.gate.policy import Policy, load_policy

    if args.policy is None:
        policy = _with_margins(args, locked or Policy())
    elif args.margin is not None or args.overall_margin is not None:
        raise UsageError("--policy sets the margins; leave out --margin and --overall-margin")
    else:
        policy = load_policy(args.policy)
    return replace(policy, allow_inconclusive=True) if args.allow_inconclusive else policy


def _with_margins(args: Namespace, preset: Policy) -> Policy:
    """Apply the margin flags; ``--margin`` applies to every task."""
    from dataclasses import replace

    from harness.gate.policy import Rule

    if args.margin is not None:
        preset = replace(
            preset,
            margin=args.margin,
            tasks=_without_margins(preset.tasks),
            probe=replace(preset.probe, margin=None, tasks=_without_margins(preset.probe.tasks)),
        )
    if args.overall_margin is not None:
        preset = replace(preset, overall=Rule(margin=args.overall_margin))
    return preset


def _without_margins(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    from dataclasses import replace

    return {name: replace(rule, margin=None) for name, rule in rules.items()}


def _write_reports(args: Namespace, gate: GateResult, reason: str) -> None:
    from harness.gate.export import as_json, as_junit, write_text
    from harness.gate.report import markdown

    if args.json:
        write_text(args.json, as_json(gate, reason))
    if args.junit:
        write_text(args.junit, as_junit(gate))
    if args.summary:
        write_text(args.summary, markdown(gate), append=True)
