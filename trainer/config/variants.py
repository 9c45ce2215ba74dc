"""The recipes of T-GRPO's variants: what they add to the recipes of GRPO and T-GRPO.

docs/temporal_bonus.md says why there are variants, docs/algorithms.md has their formulas.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.bounds import at_least_zero, positive
from trainer.config.choices import EvidenceTokens, GroupAccuracy, Permutation, UngroupedScale
from trainer.config.recipe import GRPORecipe, TGRPORecipe
from trainer.config.rl_sections import (
    RewardSettings,
    RolloutSettings,
    TGRPORolloutSettings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRolloutSettings(RolloutSettings):
    """How completions are sampled, and how the frames are shuffled that they are compared with."""

    permutation: Permutation = Permutation.FRAME
    """What is permuted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRewardSettings(RewardSettings):
    """The rewards of GRPO, and one for right answers that the order of the frames explains."""

    temporal_weight: float = 0.3
    """alpha: what a right answer earns at most."""
    evidence_tokens: EvidenceTokens = EvidenceTokens.COMPLETION
    """Which tokens' likelihoods are compared, and whether as a mean or as a sum."""
    evidence_floor: float = 0.002
    """Log-ratio up to which nothing is paid, in nats: more than rounding."""
    evidence_clip: float = 0.05
    """c: log-ratio from which no more is paid, in nats; about 1 for a sum."""

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        at_least_zero(self, "temporal_weight", "evidence_floor")
        positive(self, "evidence_clip")
        if self.evidence_floor >= self.evidence_clip:
            raise ValueError(
                f"evidence_floor is {self.evidence_floor}, not below evidence_clip,"
                f" {self.evidence_clip}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRewardSettings(RewardSettings):
    """The rewards of GRPO, and a bonus as large as the gap between ordered and shuffled answers."""

    temporal_weight: float = 0.3
    """alpha: the bonus of a correct completion where all ordered and no shuffled ones are."""
    group_accuracy: GroupAccuracy = GroupAccuracy.PROPORTION
    """What p is, as in T-GRPO."""
    scale_rewards: UngroupedScale = UngroupedScale.NONE
    """What advantages are divided by; the group's deviation would cancel the bonus."""

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        at_least_zero(self, "temporal_weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecipe(GRPORecipe):
    """GRPO that pays right answers by how much the order of the frames explains them."""

    rollout: EvidenceRolloutSettings = field(default_factory=EvidenceRolloutSettings)
    reward: EvidenceRewardSettings = field(default_factory=EvidenceRewardSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastRecipe(GRPORecipe):
    """GRPO with a baseline over ordered and shuffled answers."""

    rollout: TGRPORolloutSettings = field(default_factory=TGRPORolloutSettings)

    def __post_init__(self) -> None:
        GRPORecipe.__post_init__(self)
        if self.trl.get("multi_objective_aggregation", _SUM) != _SUM:
            raise ValueError(
                f'trl.multi_objective_aggregation: expected "{_SUM}", got'
                f" {self.trl['multi_objective_aggregation']!r}: ordered and shuffled answers are"
                " compared by the sums of their rewards"
            )

    @property
    def shuffled_group_size(self) -> int:
        """G~, completions per video prompt with shuffled frames."""
        return self.rollout.shuffled_group_size


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRecipe(GRPORecipe):
    """GRPO with a bonus as large as the gap, and advantages that let it count."""

    rollout: TGRPORolloutSettings = field(default_factory=TGRPORolloutSettings)
    reward: GapRewardSettings = field(default_factory=GapRewardSettings)

    @property
    def shuffled_group_size(self) -> int:
        """G~, completions per video prompt with shuffled frames."""
        return self.rollout.shuffled_group_size

    @property
    def scale_rewards(self) -> str:
        """What advantages are divided by."""
        return str(self.reward.scale_rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscaledRecipe(TGRPORecipe):
    """T-GRPO with its published bonus, and advantages that are divided by nothing."""

    def __post_init__(self) -> None:
        TGRPORecipe.__post_init__(self)
        if "scale_rewards" in self.trl:
            raise ValueError(
                "trl.scale_rewards cannot be set: tgrpo-unscaled divides by no deviation; train"
                " with tgrpo to choose one"
            )

    @property
    def scale_rewards(self) -> str:
        """Advantages are divided by nothing."""
        return str(UngroupedScale.NONE)


_SUM = "sum_then_normalize"
