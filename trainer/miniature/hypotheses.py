"""Test the claims of the paper's ablation on the results of the miniature.

Source: Video-R1 (arXiv 2503.21776), Table 2. The sign of one difference decides each claim; each
interval is a 95 % interval by itself, not adjusted for the number of claims.
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
    AblationResults,
    Measure,
)

ABLATION = "Video-R1 (arXiv 2503.21776), ablation: SFT, zero, w/o image, w/o temporal, full"
PURPOSE = "Video-R1 (arXiv 2503.21776), the purpose of T-GRPO; its ablation has ordered clips only"


class Decision(StrEnum):
    """Whether the results support a hypothesis."""

    SUPPORTED = "supported"
    """The interval of the difference lies above 0."""
    CONTRADICTED = "contradicted"
    """It lies below 0."""
    UNDECIDED = "undecided at this scale"
    """It contains 0, or there are too few clips for an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A claim of the paper: one arm has a higher value of a measure than another arm."""

    name: str
    sentence: str
    better: Arm
    worse: Arm
    measure: Measure = ORDERED
    source: str = ABLATION

    @property
    def difference(self) -> str:
        """The difference that decides, such as ``full - SFT, ordered clips``."""
        better, worse = (arm.title.partition(":")[0] for arm in (self.better, self.worse))
        return f"{better} - {worse}, {self.measure.title}"


HYPOTHESES = (
    Hypothesis(
        name="rl",
        sentence="RL after SFT improves on SFT",
        better=FULL,
        worse=SFT,
    ),
    Hypothesis(
        name="rl-without-order",
        sentence="so does RL without the temporal reward",
        better=GRPO,
        worse=SFT,
    ),
    Hypothesis(
        name="cold-start",
        sentence="RL needs SFT before it",
        better=FULL,
        worse=ZERO,
    ),
    Hypothesis(
        name="temporal-reward",
        sentence="the temporal reward improves accuracy",
        better=FULL,
        worse=GRPO,
    ),
    Hypothesis(
        name="images",
        sentence="training on images too helps on videos",
        better=FULL,
        worse=NO_IMAGES,
    ),
    Hypothesis(
        name="order",
        sentence="the temporal reward makes answers depend more on order",
        better=FULL,
        worse=GRPO,
        measure=GAIN,
        source=PURPOSE,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisResult:
    """A hypothesis with its measured difference."""

    hypothesis: Hypothesis
    difference: Estimate
    """As a share in [-1, 1], not in points."""

    @property
    def decision(self) -> Decision:
        """Whether the interval lies above 0, below 0, or contains it."""
        low, high = self.difference.ci95 or (0.0, 0.0)
        if low > 0:
            return Decision.SUPPORTED
        return Decision.CONTRADICTED if high < 0 else Decision.UNDECIDED


def decide(results: AblationResults) -> tuple[HypothesisResult, ...]:
    """Test the hypotheses both of whose arms were trained."""
    return tuple(
        HypothesisResult(
            hypothesis=one, difference=results.difference(one.better, one.worse, one.measure)
        )
        for one in HYPOTHESES
        if {one.better, one.worse} <= set(results.arms)
    )


def summarize(decided: Sequence[HypothesisResult]) -> str:
    """Return the hypotheses by decision: ``supported: rl; contradicted: images``."""
    names: defaultdict[Decision, list[str]] = defaultdict(list)
    for one in decided:
        names[one.decision].append(one.hypothesis.name)
    parts = [
        f"{decision}: {', '.join(names[decision])}" for decision in Decision if names[decision]
    ]
    return "; ".join(parts) or "no claim of the paper compares the arms that were trained"
