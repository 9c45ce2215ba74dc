"""Compares a run directory with a baseline file or with another run directory."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError
from harness.gate.baseline import Baseline, freeze_run, read_baseline
from harness.gate.policy import Policy, Tier, check_tasks, load_policy, require_not_looser
from harness.gate.result import GateResult
from harness.gate.verdict import judge_run
from harness.probe.gains import is_gain, read_questions, read_run
from harness.run.samples_file import StoredSamples
from harness.run.store import is_run
from harness.schema import Variant


def compare_runs(
    baseline: Baseline | PathLike[str] | str,
    run: PathLike[str] | str,
    policy: Policy | PathLike[str] | str | None = None,
    *,
    unlock: bool = False,
    common: bool = False,
) -> GateResult:
    """Compare a run with a baseline, item by item, and decide a verdict per task.

    Args:
        baseline: A baseline file, or the run directory or probe folder to compare with.
        run: The run directory or probe folder to be judged, or a `harness.Run`.
        policy: Margins and tiers, or a policy file; None: the policy locked in the baseline, else
            the default one.
        unlock: Accept a policy that demands less than the locked one.
        common: Judge only the items that both sides have; what is left out is in the notes.

    Raises:
        UsageError: A file cannot be read, the policy names unknown tasks or demands less than the
            locked one, or with `common` a task that the locked policy requires is left out.
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
    folder = Path(run)
    manifest, records = read_run(folder)
    _require_gains(base, manifest, folder)
    gate = judge_run(
        base,
        manifest,
        records,
        policy,
        questions=_read_questions(folder),
        common=common,
    )
    if base.policy is not None and not unlock:
        _require_all_tasks(gate, base.policy)
    return gate


def _require_gains(base: Baseline, manifest: Mapping[str, Any], folder: Path) -> None:
    """Raise where a baseline has temporal gains, and the other side is no probe that has them."""
    if any(map(is_gain, base.tasks)) and not any(map(is_gain, manifest["protocol"])):
        raise UsageError(
            f"{folder}: not a probe with the variant {Variant.SHUFFLED}, and the baseline is one of"
            " such a probe; `videor1 probe` makes it"
        )


def _read_questions(folder: Path) -> StoredSamples:
    """Return the questions of a run; no verdict depends on them, so damage is only told."""
    try:
        return read_questions(folder)
    except HarnessError as error:
        none = StoredSamples()
        none.lacking = f"the questions cannot be read: {error}"
        return none


def _require_all_tasks(gate: GateResult, locked: Policy) -> None:
    """Raise where a task that a locked policy requires is not judged."""
    required = [task for task in gate.left_out if locked.tier(task) is Tier.REQUIRED]
    if required:
        raise UsageError(
            f"the baseline locks a policy that requires {', '.join(required)}, which the run does"
            " not have; evaluate it, or leave it out with --unlock"
        )


def read_reference(path: Path) -> Baseline:
    """Read a baseline file, or freeze a run directory in memory."""
    return freeze_run(path) if is_run(path) or path.is_dir() else read_baseline(path)
