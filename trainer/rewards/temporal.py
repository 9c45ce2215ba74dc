"""Compute the rewards for the order of frames: pure functions of numbers, without torch.

`temporal_bonus` is Video-R1's (arXiv 2503.21776; ``grpo_trainer.py`` 611-666 of
github.com/tulerfeng/Video-R1 at 59d65c3); docs/temporal_bonus.md says what it changes, and what the
others are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainer.config.choices import GroupAccuracy
from trainer.rewards.completions import NOT_APPLICABLE, ScoredCompletion

if TYPE_CHECKING:
    from trainer.config.rl_sections import TemporalRewardSettings
    from trainer.config.variants import EvidenceRewardSettings, GapRewardSettings

_TIE = 1e-9
"""Tolerance for rounding errors when two shares are compared."""


def temporal_bonus(
    ordered: Sequence[float], shuffled: Sequence[float], settings: TemporalRewardSettings
) -> list[float]:
    """Return 1 for each correct completion of a group that gets the temporal bonus, else 0.

    The group gets it where ``p(ordered) >= mu * p(shuffled)``, also where both are equal.

    Args:
        ordered: Accuracy rewards of the completions with frames in order.
        shuffled: Accuracy rewards of the completions with shuffled frames.
        settings: mu, tau, and whether p is the share of correct completions or the mean accuracy.
    """
    p, q = (group_accuracy(group, settings) for group in (ordered, shuffled))
    earned = p >= settings.mu * q - _TIE
    return [float(earned and value > settings.tau) for value in ordered]


def temporal_gap(
    ordered: Sequence[float], shuffled: Sequence[float], settings: GapRewardSettings
) -> list[float]:
    """Return ``max(0, p(ordered) - p(shuffled))`` for each correct completion of a group, else 0.

    Args:
        ordered: Accuracy rewards of the completions with frames in order.
        shuffled: Accuracy rewards of the completions with shuffled frames.
        settings: tau, and whether p is the share of correct completions or the mean accuracy.
    """
    p, q = (group_accuracy(group, settings) for group in (ordered, shuffled))
    return [max(0.0, p - q) if value > settings.tau else 0.0 for value in ordered]


def order_evidence(
    completions: Sequence[ScoredCompletion], settings: EvidenceRewardSettings
) -> list[float]:
    """Return ``(clip(d, floor, c) - floor) / (c - floor)`` for each correct completion, else 0.

    d is the completion's log-ratio. In a group where a correct completion has none (its prompt has
    no other order of frames) the reward does not apply.

    Args:
        completions: The ordered completions of a group.
        settings: tau, the floor and c.
    """
    right = [one.accuracy > settings.tau for one in completions]
    ratios = [one.log_ratio for one in completions]
    if any(is_right and ratio is None for is_right, ratio in zip(right, ratios, strict=True)):
        return [NOT_APPLICABLE] * len(completions)
    return [
        evidence_share(ratio, settings) if is_right and ratio is not None else 0.0
        for is_right, ratio in zip(right, ratios, strict=True)
    ]


def evidence_share(log_ratio: float, settings: EvidenceRewardSettings) -> float:
    """Return what a right answer with this log-ratio earns, 0 to 1."""
    floor, most = settings.evidence_floor, settings.evidence_clip
    return (min(max(log_ratio, floor), most) - floor) / (most - floor)


def group_accuracy(
    accuracies: Sequence[float], settings: TemporalRewardSettings | GapRewardSettings
) -> float:
    """Return p of one group: its share of correct completions, or its mean accuracy reward.

    Raises:
        ValueError: The group has no completions.
    """
    if not accuracies:
        raise ValueError("a group without completions has no accuracy")
    if settings.group_accuracy is GroupAccuracy.PROPORTION:
        accuracies = [float(value > settings.tau) for value in accuracies]
    return sum(accuracies) / len(accuracies)
