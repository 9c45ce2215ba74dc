"""Reads and checks policies: what drop a gate accepts, per task and over all tasks.

A policy is a TOML file in which every key is optional; margins are points of a score (0-100)::

    margin = 2.0            # accepted drop, for every task
    alpha = 0.05            # how often a verdict may be wrong
    [overall]               # the mean over the required tasks
    margin = 1.0
    tier = "required"
    [tasks.vsibench]
    tier = "advisory"       # printed, never decides the exit code
    [probe]                 # the temporal gain of every task, where both sides are probes
    margin = 4.0
    [probe.tasks.vsibench]
    margin = 6.0
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.bounds import between
from harness.config import build, read_settings
from harness.errors import UsageError
from harness.probe.gains import is_gain
from harness.scoring.tags import task_of_column


class Tier(StrEnum):
    """Whether a verdict decides the exit code."""

    REQUIRED = "required"
    ADVISORY = "advisory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The accepted drop of one task, or of the mean over tasks."""

    margin: float | None = None
    """Points; None: the policy's own margin."""
    tier: Tier = Tier.REQUIRED

    def __post_init__(self) -> None:
        between(self, "margin", 0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRule(Rule):
    """The accepted drop of the temporal gain, of every task and of single ones."""

    tasks: Mapping[str, Rule] = field(default_factory=dict)

    def of(self, task: str) -> Rule:
        """Return the rule of a task's temporal gain; its margin is this one's where it has none."""
        own = self.tasks.get(task)
        if own is None:
            return Rule(margin=self.margin, tier=self.tier)
        return own if own.margin is not None else replace(own, margin=self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What drop is accepted and how sure a verdict has to be."""

    margin: float = 2.0
    """Points by which a task's true score may have dropped."""
    alpha: float = 0.05
    """Chance of a false REGRESSION over all required tasks, and of a false PASS of each."""
    power: float = 0.8
    """Chance of a verdict for which the minimum detectable effect is computed."""
    allow_inconclusive: bool = False
    """Whether a gate that cannot tell ends with exit code 0 instead of 3."""
    overall: Rule = Rule(tier=Tier.ADVISORY)
    tasks: Mapping[str, Rule] = field(default_factory=dict)
    probe: ProbeRule = ProbeRule()

    def __post_init__(self) -> None:
        between(self, "margin", 0, 100)
        between(self, "alpha", 1e-6, 0.5)
        between(self, "power", 0.5, 0.999)

    def tier(self, task: str) -> Tier:
        """Return whether a task's verdict decides the exit code."""
        return self._rule(task).tier

    def margin_of(self, task: str) -> float:
        """Return a task's margin in points."""
        return self._margin(self._rule(task))

    @property
    def overall_margin(self) -> float:
        """Margin of the mean over tasks, in points."""
        return self._margin(self.overall)

    def _rule(self, task: str) -> Rule:
        if is_gain(task):
            return self.probe.of(task_of_column(task))
        return self.tasks.get(task, Rule())

    def _margin(self, rule: Rule) -> float:
        return self.margin if rule.margin is None else rule.margin


def load_policy(path: Path) -> Policy:
    """Read a policy file; raises `UsageError` for an unknown key or a value out of bounds."""
    return read_settings(Policy, path)


def make_policy(content: Mapping[str, Any], where: str) -> Policy:
    """Build a policy from the content of a TOML file or of a baseline; `where` names it."""
    return build(Policy, content, where)


def check_tasks(policy: Policy, tasks: Collection[str]) -> None:
    """Raise where a policy names a task that the baseline lacks: it would have no effect."""
    scores = {task for task in tasks if not is_gain(task)}
    unknown = sorted(set(policy.tasks) - scores)
    if unknown:
        raise UsageError(
            f"the policy names the task {unknown[0]!r}, which the baseline does not have;"
            f" it has: {', '.join(sorted(scores))}"
        )
    gains = {task_of_column(task) for task in tasks if is_gain(task)}
    if policy.probe != ProbeRule() and not gains:
        raise UsageError("the policy has [probe], and the baseline is not one of a probe")
    without = sorted(set(policy.probe.tasks) - gains)
    if without:
        raise UsageError(
            f"the policy names the temporal gain of {without[0]!r} in [probe.tasks], which the"
            f" baseline does not have; it has those of: {', '.join(sorted(gains))}"
        )


def require_not_looser(policy: Policy, locked: Policy, tasks: Collection[str]) -> None:
    """Raise where a policy demands less than the one that a baseline locks."""
    loose = loosened(policy, locked, tasks)
    if loose:
        raise UsageError(
            f"the baseline locks a policy and this one demands less: {'; '.join(loose)}."
            " Freeze the baseline again with the new policy, or accept it with --unlock"
        )


def loosened(policy: Policy, locked: Policy, tasks: Collection[str]) -> list[str]:
    """List where a policy demands less than a locked one, as ``what: ours, locked theirs``."""
    return [line for task in tasks for line in _loosened_task(policy, locked, task)] + [
        *_loosened_overall(policy, locked),
        *([f"alpha: {policy.alpha}, locked {locked.alpha}"] * (policy.alpha != locked.alpha)),
        *(
            ["allow_inconclusive: true, locked false"]
            * (policy.allow_inconclusive and not locked.allow_inconclusive)
        ),
    ]


def _loosened_task(policy: Policy, locked: Policy, task: str) -> Iterator[str]:
    if locked.tier(task) is Tier.ADVISORY:
        return
    if policy.tier(task) is Tier.ADVISORY:
        yield f"{task} tier: advisory, locked required"
    if policy.margin_of(task) > locked.margin_of(task):
        yield f"{task} margin: {policy.margin_of(task):g}, locked {locked.margin_of(task):g}"


def _loosened_overall(policy: Policy, locked: Policy) -> Iterator[str]:
    if locked.overall.tier is Tier.ADVISORY:
        return
    if policy.overall.tier is Tier.ADVISORY:
        yield "overall tier: advisory, locked required"
    if policy.overall_margin > locked.overall_margin:
        yield f"overall margin: {policy.overall_margin:g}, locked {locked.overall_margin:g}"
