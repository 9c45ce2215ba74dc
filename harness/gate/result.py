"""The result of a gate: a verdict per task, what it is based on, and what changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.gate.changes import Flip, TaskChange
from harness.gate.policy import Policy, Tier
from harness.stats import Estimate


class Verdict(StrEnum):
    """The result for one task, or for the run."""

    PASS = "PASS"
    REGRESSION = "REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"
    """Too few items to decide."""
    INCOMPLETE = "INCOMPLETE"
    """Items are missing or failed, so the task is not judged."""


WORST_FIRST = (Verdict.REGRESSION, Verdict.INCOMPLETE, Verdict.INCONCLUSIVE, Verdict.PASS)


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
class CommonItems:
    """How many items of a task both sides have, where only these are judged."""

    task: str
    n: int
    only_base: int
    """Items of the baseline that the run lacks; they are left out."""
    only_run: int
    """Items of the run that the baseline lacks; they are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A run compared with a baseline."""

    lines: tuple[GateLine, ...]
    changes: tuple[TaskChange, ...]
    """What changed in each task that has a comparison; regressed tasks first."""
    notes: tuple[str, ...]
    policy: Policy
    same_checkpoint: bool
    """Both sides are the same checkpoint and settings, so that every difference is noise."""
    common: tuple[CommonItems, ...] = ()
    """Per task what is judged, where only the items that both sides have are; else empty."""
    left_out: tuple[str, ...] = ()
    """Tasks of the baseline that are not judged, because only what both sides have is."""
    no_questions: str | None = None
    """Why items that fell lack the text of their question; None: they have it."""

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
    def flips(self) -> list[Flip]:
        """Every item that fell, in the order of `changes`."""
        return [flip for change in self.changes for flip in change.flips]

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
