r"""T-GRPO evidence: pay a right answer by how much the order of the frames explains it.

A right answer o to the question q about the frames v earns, beside GRPO's rewards,

    alpha * (clip(d, f, c) - f) / (c - f),    d = log pi(o | v, q) - log pi(o | v shuffled, q),

with alpha ``temporal_weight``, f ``evidence_floor`` and c ``evidence_clip``. d is the mean over the
tokens of the completion, or their sum, or the sum over the tokens of the answer
(``evidence_tokens``). A wrong answer earns 0. An image, or a video of one frame, has no other
order, so that the reward does not apply.

The likelihoods are the policy's own, taken without a gradient in one more pass, in which the right
answers of the update stand behind their prompt and behind its shuffled twin. Nothing is sampled
from shuffled frames. An answer that can be had without order is as likely in both, and earns
nothing: the reward is that of a completion, not that of a group, so that no division by the group's
deviation cancels it. docs/temporal_bonus.md has the reasons.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from harness.backends import chat
from harness.models.checkpoint import Checkpoint
from harness.schema import MediaKind
from harness.scoring.answers import answer_span
from trainer.algorithms.grpo import own_rewards
from trainer.config.choices import EvidenceTokens
from trainer.config.variants import (
    EvidenceRecipe,
    EvidenceRewardSettings,
    EvidenceRolloutSettings,
)
from trainer.data.rows import TrainingRow
from trainer.loops.groups import group_metrics
from trainer.loops.likelihoods import completion_logps
from trainer.loops.rollout_run import rollout_run
from trainer.loops.rollout_trainer import RolloutTrainer
from trainer.loops.shuffled_twins import make_twins
from trainer.rewards.completions import NOT_APPLICABLE, CompletionGroup, Rollout
from trainer.rewards.registry import choose_rewards, require_reward
from trainer.rewards.reward import Reward
from trainer.rewards.temporal import order_evidence


def train(
    recipe: EvidenceRecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one; see `rollout_run`."""
    rewards = evidence_rewards(recipe.reward)
    with rollout_run(recipe, out, checkpoint=checkpoint, rows=rows, callbacks=callbacks) as run:
        run.train(
            VideoEvidenceTrainer(
                rollout=recipe.rollout, reward=recipe.reward, **run.arguments(rewards)
            )
        )


def evidence_rewards(settings: EvidenceRewardSettings) -> list[Reward]:
    """Return the recipe's rewards; by default those of GRPO and the evidence.

    Raises:
        UsageError: The recipe names its rewards without the evidence.
    """

    def evidence(group: CompletionGroup) -> list[float]:
        if not any(media.kind is MediaKind.VIDEO for media in group.sample.media):
            return [NOT_APPLICABLE] * len(group.ordered)
        return order_evidence(group.ordered, settings)

    name = order_evidence.__name__
    own = Reward(name=name, weight=settings.temporal_weight, of_group=evidence)
    chosen = choose_rewards(settings.functions, [*own_rewards(settings), own])
    require_reward(chosen, name, "tgrpo-evidence")
    return chosen


class VideoEvidenceTrainer(RolloutTrainer):
    """GRPO that compares the likelihood of right answers with that behind shuffled frames."""

    algorithm = "tgrpo-evidence"

    def __init__(
        self,
        *,
        rollout: EvidenceRolloutSettings,
        reward: EvidenceRewardSettings,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self._rollout = rollout
        self._settings = reward

    def measure(
        self, rollouts: Sequence[Rollout], completions: Sequence[Sequence[int]]
    ) -> Sequence[Rollout]:
        """Add the log-ratio of the right completions whose prompts have another order."""
        rows, tau = self.current_rows, self._settings.tau
        right = [
            at for at, one in enumerate(rollouts) if one.ordered and one.ordered.accuracy > tau
        ]
        twins = make_twins(
            self._inputs, (rows[at] for at in right), self._rollout.permutation,
            seed=self.args.seed, step=self.state.global_step,
        )  # fmt: skip
        compared = [at for at in right if rows[at].id in twins]
        prompts = [*(rows[at] for at in compared), *(twins[rows[at].id] for at in compared)]
        logps = completion_logps(self, prompts, [completions[at] for at in compared] * 2)
        ratios = {
            at: self._log_ratio(completions[at], ordered - shuffled)
            for at, ordered, shuffled in zip(
                compared, logps[: len(compared)], logps[len(compared) :], strict=True
            )
        }
        return [
            replace(one, ordered=replace(one.ordered, log_ratio=ratios[at]))
            if one.ordered is not None and at in ratios
            else one
            for at, one in enumerate(rollouts)
        ]

    def step_metrics(
        self, groups: Sequence[CompletionGroup], rewards: torch.Tensor
    ) -> dict[str, float]:
        """Add the mean log-ratio of right answers, what they earn, and the groups compared."""
        ratios = [
            one.log_ratio for group in groups for one in group.ordered if one.log_ratio is not None
        ]
        compared = [any(one.log_ratio is not None for one in group.ordered) for group in groups]
        found = {**group_metrics(groups), "temporal/compared": fmean(map(float, compared))}
        if ratios:
            found["temporal/log_ratio"] = fmean(ratios)
            found["temporal/earned"] = fmean(one > self._settings.evidence_floor for one in ratios)
        return found

    def _log_ratio(self, tokens: Sequence[int], per_token: torch.Tensor) -> float:
        """Return the log-ratio of a completion from those of its tokens, shape (tokens,)."""
        match self._settings.evidence_tokens:
            case EvidenceTokens.ANSWER:
                return float(per_token[answer_tokens(self.processing_class, tokens)].sum())
            case EvidenceTokens.COMPLETION:
                return float(per_token.mean())
            case EvidenceTokens.COMPLETION_SUM:
                return float(per_token.sum())


def answer_tokens(processor: Any, tokens: Sequence[int]) -> slice:
    """Return which tokens of a completion have a part of its answer, between the answer's tags."""
    text = chat.decode(processor, tokens)
    span = answer_span(text)
    if span is None:
        return slice(0, 0)

    def read(count: int) -> str:
        return chat.decode(processor, tokens[:count])

    # A token may end amid a character, which is then read as another one.
    start = bisect_right(range(len(tokens)), span[0], key=lambda count: len(read(count))) - 1
    while not text[: span[0]].startswith(read(start)):
        start -= 1
    end = start
    while read(end)[: span[1]] != text[: span[1]]:
        end += 1
    return slice(start, end)
