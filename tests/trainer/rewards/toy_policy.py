"""A policy that chooses, answer by answer, between a shortcut and sight of the order of frames.

A row's shortcut is right with a given probability and does not care about the order. Sight is right
in 95 % of ordered and in 25 % of shuffled clips. The policy has one weight, the logit of sight, and
begins with 20 % sight; an update is plain gradient ascent on 16 groups of 8 answers, with 4 answers
to shuffled clips each. Rewards and advantages are the trainer's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.config.rl_sections import TemporalRewardSettings
from trainer.config.variants import EvidenceRewardSettings, GapRewardSettings
from trainer.rewards.advantages import (
    AdvantageRule,
    UpdateRewards,
    contrast_advantages,
    group_advantages,
)
from trainer.rewards.completions import ScoredCompletion
from trainer.rewards.temporal import order_evidence, temporal_bonus, temporal_gap

GROUPS, SIZE, SHUFFLED = 16, 8, 4
ALPHA, RATE = 0.3, 0.5
ORDERED_RIGHT, SHUFFLED_RIGHT = 0.95, 0.25
EVIDENCE = EvidenceRewardSettings(evidence_floor=0.0, evidence_clip=1.0)
SIGHT_RATIO = float(np.log(ORDERED_RIGHT / SHUFFLED_RIGHT))


def share_of_sight(kind: str, shortcut: float, seed: int, updates: int = 100) -> float:
    """Train, and return the share of answers by sight.

    Args:
        kind: ``grpo``, ``published``, ``unscaled``, ``gap``, ``contrast`` or ``evidence``.
        shortcut: Share of rows in which the shortcut is right.
        seed: Of the answers; they are the same for all kinds as long as their policies are.
        updates: Number of updates.
    """
    rng = np.random.default_rng(seed)
    weight = -1.4
    for _ in range(updates):
        sight = 1 / (1 + np.exp(-weight))
        by_shortcut = rng.random((GROUPS, 1)) < shortcut
        sees, right = _answer(rng, sight, by_shortcut, SIZE, ORDERED_RIGHT)
        _, others = _answer(rng, sight, by_shortcut, SHUFFLED, SHUFFLED_RIGHT)
        advantages = _advantages(kind, sees, right, others)
        slope = np.where(sees, 1 - sight, -sight)  # of the log-probability of the choice
        weight += RATE * float((advantages.reshape(GROUPS, SIZE) * slope).mean())
    return float(1 / (1 + np.exp(-weight)))


def _answer(rng, sight, by_shortcut, count, right_by_sight):
    sees = rng.random((GROUPS, count)) < sight
    right = np.where(sees, rng.random((GROUPS, count)) < right_by_sight, by_shortcut)
    return sees, right.astype(float)


def _advantages(kind, sees, right, others):
    bonus = [
        _bonus(kind, *group) for group in zip(sees, right.tolist(), others.tolist(), strict=True)
    ]
    columns = np.stack([right, np.ones_like(right), np.array(bonus)], axis=-1)
    rewards = UpdateRewards(
        names=("accuracy", "format_reward", "bonus"),
        ordered=columns.reshape(-1, 3),
        shuffled=tuple(np.stack([one, one * 0 + 1, one * 0], axis=-1) for one in others),
        failed=(False,) * GROUPS,
    )
    weights = [1.0, 1.0, ALPHA]
    if kind == "contrast":
        return contrast_advantages(rewards, weights, AdvantageRule(size=SIZE))
    scale = "none" if kind in ("gap", "unscaled") else "group"
    return group_advantages(rewards.ordered, weights, AdvantageRule(size=SIZE, scale_rewards=scale))


def _bonus(kind: str, sees, right: Sequence[float], others: Sequence[float]) -> list[float]:
    if kind in ("published", "unscaled"):
        return temporal_bonus(right, others, TemporalRewardSettings())
    if kind == "gap":
        return temporal_gap(right, others, GapRewardSettings())
    if kind == "evidence":
        answers = [
            ScoredCompletion(
                text="", tokens=1, truncated=False, accuracy=one,
                log_ratio=SIGHT_RATIO if seen else 0.0,
            )
            for seen, one in zip(sees, right, strict=True)
        ]  # fmt: skip
        return order_evidence(answers, EVIDENCE)
    return [0.0] * SIZE
