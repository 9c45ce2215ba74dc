"""Compares a run directory with a baseline file or with another run directory."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from harness.gate.baseline import Baseline, freeze_run, read_baseline
from harness.gate.policy import Policy, check_tasks, load_policy, require_not_looser
from harness.gate.verdict import GateResult, judge_run
from harness.run.store import is_run, read_manifest, read_records


def compare_runs(
    baseline: Baseline | PathLike[str] | str,
    run: PathLike[str] | str,
    policy: Policy | PathLike[str] | str | None = None,
    *,
    unlock: bool = False,
) -> GateResult:
    """Compare a run with a baseline, item by item, and decide a verdict per task.

    Args:
        baseline: A baseline file, or the run directory to compare with.
        run: The run directory to be judged, or a `harness.Run`.
        policy: Margins and tiers, or a policy file; None: the policy locked in the baseline, else
            the default one.
        unlock: Accept a policy that demands less than the locked one.

    Raises:
        UsageError: A file cannot be read, the policy names unknown tasks or demands less than the
            locked one.
        RunMismatchError: The two sides differ in protocol or data.
        IncompleteRunError: `baseline` is a run with missing or failed items.
    """
    base = baseline if isinstance(baseline, Baseline) else read_reference(Path(baseline))
    if policy is None:
        policy = base.policy or Policy()
    elif not isinstance(policy, Policy):
        policy = load_policy(Path(policy))
    check_tasks(policy, base.tasks)
    if base.policy is not None and not unlock:
        require_not_looser(policy, base.policy, base.tasks)
    return judge_run(base, read_manifest(Path(run)), read_records(Path(run)), policy)


def read_reference(path: Path) -> Baseline:
    """Read a baseline file, or freeze a run directory in memory."""
    return freeze_run(path) if is_run(path) or path.is_dir() else read_baseline(path)
