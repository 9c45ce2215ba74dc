"""Decides whether a run is worse than a baseline: PASS, REGRESSION or INCONCLUSIVE.

A non-inferiority test on paired differences, with standard errors clustered by video. With margin m
a task passes when the lower bound of its difference lies above -m, and has regressed when the upper
bound lies below -m; both bounds are one-sided. "All required tasks pass" needs no correction for
several tasks (it is an intersection-union test); "some required task regressed" does and gets
Holm's. Sources: docs/sources.md, section "Regression gates".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.gate.baseline import Baseline
from harness.gate.changes import TaskChange, measure_changes
from harness.gate.notes import make_notes
from harness.gate.pairing import Pairing, check_comparable, pair
from harness.gate.policy import Policy, Tier
from harness.gate.result import (
    WORST_FIRST,
    CommonItems,
    Comparison,
    GateLine,
    GateResult,
    Verdict,
)
from harness.probe.gains import is_gain
from harness.run.manifest_facts import numeric_differences
from harness.run.numeric import numeric_of
from harness.run.samples_file import StoredSample, StoredSamples
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


def judge_run(
    baseline: Baseline,
    manifest: Mapping[str, Any],
    records: Sequence[Record],
    policy: Policy,
    *,
    questions: StoredSamples | None = None,
    common: bool = False,
) -> GateResult:
    """Compare the manifest and records of a run with a baseline and decide on every task.

    Args:
        baseline: The frozen run.
        manifest: ``run.json`` of the run.
        records: Its records.
        policy: What drop is accepted.
        questions: The run's questions, shown with the items that fell.
        common: Judge only the items that both sides have.

    Raises:
        RunMismatchError: The run's protocol or data differs from the baseline's, or with `common`
            they have no item in common.
    """
    check_comparable(baseline, manifest, common=common)
    asked = {task: data["items"] for task, data in manifest["data"].items()} if common else None
    pairings = pair(baseline, records, repeats_of(manifest["protocol"]), common=asked)
    measured = [_measure_task(pairing, policy) for pairing in pairings]
    lines = _decide_lines([*measured, *_measure_overall(pairings, policy)], policy)
    return GateResult(
        lines=tuple(lines),
        changes=tuple(_sort_changes(pairings, lines, questions or {})),
        notes=tuple(make_notes(baseline, manifest, records, pairings)),
        policy=policy,
        same_checkpoint=baseline.checkpoint == manifest["checkpoint"]
        and not numeric_differences(baseline.numeric, numeric_of(manifest)),
        common=tuple(map(_count_common, pairings)) if common else (),
        left_out=tuple(t for t in baseline.tasks if t not in {p.task for p in pairings}),
        no_questions=None if questions is None else questions.lacking,
    )


def _sort_changes(
    pairings: Sequence[Pairing], lines: Sequence[GateLine], questions: Mapping[str, StoredSample]
) -> list[TaskChange]:
    """Measure what changed in every judged task; tasks with the worst verdict come first."""
    verdicts = {line.name: WORST_FIRST.index(line.verdict) for line in lines}
    judged = sorted(
        (pairing for pairing in pairings if pairing.records), key=lambda p: verdicts[p.task]
    )
    return [measure_changes(pairing, questions) for pairing in judged]


def _count_common(pairing: Pairing) -> CommonItems:
    return CommonItems(
        task=pairing.task,
        n=len(pairing.items),
        only_base=len(pairing.only_base),
        only_run=len(pairing.only_run),
    )


def measure_difference(pairing: Pairing, policy: Policy) -> Comparison:
    """Compute both scores of a task and their difference."""
    base, candidate, paths = pairing.base, pairing.candidate, pairing.paths
    margin = policy.overall_margin if pairing.task == OVERALL else policy.margin_of(pairing.task)
    span = pairing.span
    difference = paired_difference(base, candidate, pairing.clusters, paths, span=span)
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
    """Compute the mean over the required tasks; temporal gains are no part of it.

    It is one aggregation tree, so that a video which several tasks share is one cluster.
    """
    counted = [
        pairing
        for pairing in pairings
        if policy.tier(pairing.task) is Tier.REQUIRED and not is_gain(pairing.task)
    ]
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
