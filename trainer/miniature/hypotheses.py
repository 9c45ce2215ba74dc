"""What the paper says about its ablation, and what an outcome says of it.

Source: Video-R1 (arXiv 2503.21776), Table 2. A claim stands or falls with the sign of one
difference; each interval is a 95 % interval by itself, unadjusted for the number of claims.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.stats import Estimate
from trainer.miniature.arms import FULL, GRPO, NO_IMAGES, SFT, ZERO, Arm
from trainer.miniature.results import (
    GAIN,
    ORDERED,
    Measure,
    Outcome,
)

ABLATION = "Video-R1 (arXiv 2503.21776), ablation: SFT, zero, w/o image, w/o temporal, full"
PURPOSE = "Video-R1 (arXiv 2503.21776), the purpose of T-GRPO; its ablation has ordered clips only"


class Verdict(StrEnum):
    """What an interval says of a claim."""

    SUPPORTED = "supported"
    """It lies above 0."""
    CONTRADICTED = "contradicted"
    """It lies below 0."""
    UNDECIDED = "undecided at this scale"
    """It holds 0, or there are too few clips for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence of the paper that a difference of two arms decides."""

    name: str
    sentence: str
    better: Arm
    worse: Arm
    measure: Measure = ORDERED
    source: str = ABLATION

    @property
    def difference(self) -> str:
        """Name what decides: ``full - SFT, ordered clips``."""
        better, worse = (arm.title.partition(":")[0] for arm in (self.better, self.worse))
        return f"{better} - {worse}, {self.measure.title}"


CLAIMS = (
    Claim(
        name="rl",
        sentence="RL after SFT improves on SFT",
        better=FULL,
        worse=SFT,
    ),
    Claim(
        name="rl-without-order",
        sentence="so does RL without the temporal reward",
        better=GRPO,
        worse=SFT,
    ),
    Claim(
        name="cold-start",
        sentence="RL needs SFT before it",
        better=FULL,
        worse=ZERO,
    ),
    Claim(
        name="temporal-reward",
        sentence="the temporal reward improves accuracy",
        better=FULL,
        worse=GRPO,
    ),
    Claim(
        name="images",
        sentence="training on images too helps on videos",
        better=FULL,
        worse=NO_IMAGES,
    ),
    Claim(
        name="order",
        sentence="the temporal reward makes answers depend more on order",
        better=FULL,
        worse=GRPO,
        measure=GAIN,
        source=PURPOSE,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim with its verdict."""

    claim: Claim
    difference: Estimate
    """In shares, not points."""

    @property
    def verdict(self) -> Verdict:
        """Judge by the interval alone."""
        low, high = self.difference.ci95 or (0.0, 0.0)
        if low > 0:
            return Verdict.SUPPORTED
        return Verdict.CONTRADICTED if high < 0 else Verdict.UNDECIDED


def judge(outcome: Outcome) -> tuple[Finding, ...]:
    """Judge the claims both of whose arms were trained."""
    return tuple(
        Finding(
            claim=claim, difference=outcome.difference(claim.better, claim.worse, claim.measure)
        )
        for claim in CLAIMS
        if {claim.better, claim.worse} <= set(outcome.arms)
    )


def summary(findings: Sequence[Finding]) -> str:
    """Say in one sentence which claims hold: ``supported: rl; contradicted: images``."""
    names: defaultdict[Verdict, list[str]] = defaultdict(list)
    for finding in findings:
        names[finding.verdict].append(finding.claim.name)
    parts = [f"{verdict}: {', '.join(names[verdict])}" for verdict in Verdict if verdict in names]
    return "; ".join(parts) or "no claim compares the arms that were trained"
