"""Decides whether a run is worse than a baseline: PASS, REGRESSION or INCONCLUSIVE.

A non-inferiority test on paired differences, with standard errors clustered by video. With margin m
a task passes when the lower bound of its difference lies above -m, and has regressed when the upper
bound lies below -m; both bounds are one-sided. "All required tasks pass" needs no correction for
several tasks (it is an intersection-union test); "some required task regressed" does and gets
Holm's. Sources: docs/sources.md, section "Regression gates".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from harness.gate.baseline import Baseline
from harness.gate.notes import make_notes
from harness.gate.pairing import Flip, Pairing, check_comparable, pair, worst_flips
from harness.gate.policy import Policy, Tier
from harness.run.manifest_facts import numeric_differences
from harness.run.numeric import numeric_of
from harness.schema import Record
from harness.stats import (
    Estimate,
    bounds,
    holm,
    items_needed,
    minimum_detectable_effect,
    p_above,
    p_below,
    paired_difference,
    sign_flip_p,
)
from harness.task.protocol import repeats_of

OVERALL = "overall"
SHOWN_FLIPS = 10


class Verdict(StrEnum):
    """The result for one task, or for the run."""

    PASS = "PASS"
    REGRESSION = "REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"
    """Too few items to decide."""
    INCOMPLETE = "INCOMPLETE"
    """Items are missing or failed, so the task is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both scores of one task and their difference, all from 0 to 1."""

    base: float
    candidate: float
    difference: Estimate
    bounds: tuple[float, float] | None
    """One-sided confidence bounds of the difference; None below two videos."""
    flip_p: float
    """P value against "no drop", from flipping the signs of whole videos."""
    discordance: float
    """Share of items whose value changed."""
    design_effect: float | None
    """Factor by which shared videos increase the variance; None where nothing varies."""
    mde: float | None
    """Minimum detectable effect: the drop beyond the margin that is found with the policy's
    power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLine:
    """The result of one task, or of the mean over the required tasks."""

    name: str
    tier: Tier
    margin: float
    """Points."""
    n: int
    verdict: Verdict
    comparison: Comparison | None = None
    needed: int | None = None
    """Items with which an equally good model passes with the policy's power."""
    p_regression: float = 1.0
    """P value against "the drop is at most the margin", adjusted by Holm over required lines."""
    gaps: tuple[str, ...] = ()
    """Missing, failed or unknown items; with any of them the task is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A run compared with a baseline."""

    lines: tuple[GateLine, ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...]
    policy: Policy
    same_checkpoint: bool
    """Both sides are the same checkpoint and settings, so that every difference is noise."""

    @property
    def verdict(self) -> Verdict:
        """REGRESSION if a required task regressed, else INCOMPLETE, INCONCLUSIVE or PASS."""
        if Verdict.REGRESSION in self._required:
            return Verdict.REGRESSION
        if any(line.gaps for line in self.lines):
            return Verdict.INCOMPLETE
        if Verdict.INCONCLUSIVE in self._required:
            return Verdict.INCONCLUSIVE
        return Verdict.PASS

    @property
    def _required(self) -> list[Verdict]:
        return [line.verdict for line in self.lines if line.tier is Tier.REQUIRED]

    def names(self, verdict: Verdict) -> list[str]:
        """Return the required tasks with this verdict; incomplete ones whatever their tier."""
        anyway = verdict is Verdict.INCOMPLETE
        return [
            line.name
            for line in self.lines
            if line.verdict is verdict and (anyway or line.tier is Tier.REQUIRED)
        ]


def judge_run(
    baseline: Baseline, manifest: Mapping[str, Any], records: Sequence[Record], policy: Policy
) -> GateResult:
    """Compare the manifest and records of a run with a baseline and decide on every task.

    Raises:
        RunMismatchError: The run's protocol or data differs from the baseline's.
    """
    check_comparable(baseline, manifest)
    pairings = pair(baseline, records, repeats_of(manifest["protocol"]))
    lines = [_measure_task(pairing, policy) for pairing in pairings]
    return GateResult(
        lines=tuple(_decide_lines([*lines, *_measure_overall(pairings, policy)], policy)),
        flips=tuple(worst_flips(pairings, SHOWN_FLIPS)),
        notes=tuple(make_notes(baseline, manifest, records, pairings)),
        policy=policy,
        same_checkpoint=baseline.checkpoint == manifest["checkpoint"]
        and not numeric_differences(baseline.numeric, numeric_of(manifest)),
    )


def measure_difference(pairing: Pairing, policy: Policy) -> Comparison:
    """Compute both scores of a task and their difference."""
    base, candidate, paths = pairing.base, pairing.candidate, pairing.paths
    margin = policy.overall_margin if pairing.task == OVERALL else policy.margin_of(pairing.task)
    difference = paired_difference(base, candidate, pairing.clusters, paths)
    independent = paired_difference(base, candidate, [item.id for item in pairing.items], paths)
    zeros, items = [0.0] * len(base), len(base)
    before = paired_difference(zeros, base, pairing.clusters, paths).mean
    effect = (difference.se or 0) ** 2 / independent.se**2 if independent.se else None
    return Comparison(
        base=before,
        candidate=before + difference.mean,
        difference=difference,
        bounds=None if difference.se is None else bounds(difference, policy.alpha),
        flip_p=sign_flip_p(base, candidate, pairing.clusters, paths),
        discordance=sum(a != b for a, b in zip(base, candidate, strict=True)) / items,
        design_effect=None if difference.se is None else effect,
        mde=minimum_detectable_effect(
            difference, alpha=policy.alpha, power=policy.power, margin=margin / 100
        ),
    )


def decide_verdict(
    difference: Estimate, margin: float, *, alpha: float, p_regression: float
) -> Verdict:
    """Return the verdict on a difference; difference and margin are from 0 to 1."""
    if difference.se is None:
        return Verdict.INCONCLUSIVE
    if p_regression < alpha:
        return Verdict.REGRESSION
    if p_above(difference, -margin) < alpha:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _measure_task(pairing: Pairing, policy: Policy) -> GateLine:
    line = GateLine(
        name=pairing.task,
        tier=policy.tier(pairing.task),
        margin=policy.margin_of(pairing.task),
        n=len(pairing.items),
        verdict=Verdict.INCOMPLETE,
        gaps=pairing.gaps,
    )
    return (
        line
        if pairing.gaps
        else _with_statistics(line, measure_difference(pairing, policy), policy)
    )


def _with_statistics(line: GateLine, comparison: Comparison, policy: Policy) -> GateLine:
    difference, margin = comparison.difference, line.margin / 100
    return replace(
        line,
        verdict=Verdict.INCONCLUSIVE,
        comparison=comparison,
        needed=items_needed(difference, margin, alpha=policy.alpha, power=policy.power),
        p_regression=1.0 if difference.se is None else p_below(difference, -margin),
    )


def _measure_overall(pairings: Sequence[Pairing], policy: Policy) -> list[GateLine]:
    """Compute the mean over the required tasks.

    It is one aggregation tree, so that a video which several tasks share is one cluster.
    """
    counted = [pairing for pairing in pairings if policy.tier(pairing.task) is Tier.REQUIRED]
    if len(counted) < 2:
        return []
    joint = Pairing(
        task=OVERALL,
        items=tuple(
            replace(item, path=(pairing.task, *item.path))
            for pairing in counted
            for item in pairing.items
        ),
        records=tuple(record for pairing in counted for record in pairing.records),
        gaps=tuple(f"{pairing.task} is incomplete" for pairing in counted if pairing.gaps),
    )
    line = GateLine(
        name=OVERALL,
        tier=policy.overall.tier,
        margin=policy.overall_margin,
        n=len(joint.items),
        verdict=Verdict.INCOMPLETE,
        gaps=joint.gaps,
    )
    return [
        line if joint.gaps else _with_statistics(line, measure_difference(joint, policy), policy)
    ]


def _decide_lines(lines: Sequence[GateLine], policy: Policy) -> list[GateLine]:
    """Apply Holm's correction over the required lines, then decide on lines with statistics."""
    required = [line for line in lines if line.tier is Tier.REQUIRED]
    corrected = holm([line.p_regression for line in required])
    adjusted = {line.name: p for line, p in zip(required, corrected, strict=True)}
    lines = [replace(li, p_regression=adjusted.get(li.name, li.p_regression)) for li in lines]
    return [
        line
        if line.comparison is None
        else replace(
            line,
            verdict=decide_verdict(
                line.comparison.difference,
                line.margin / 100,
                alpha=policy.alpha,
                p_regression=line.p_regression,
            ),
        )
        for line in lines
    ]
