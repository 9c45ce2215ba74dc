"""Trainers that check their log-probabilities, and samplers that return given texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.trainer.small_runs import checkpoint_of
from trainer.algorithms.grpo import VideoGRPOTrainer, grpo_rewards
from trainer.algorithms.tgrpo import VideoTGRPOTrainer, tgrpo_rewards
from trainer.algorithms.tgrpo_contrast import VideoContrastTrainer
from trainer.algorithms.tgrpo_evidence import VideoEvidenceTrainer, evidence_rewards
from trainer.algorithms.tgrpo_gap import VideoGapTrainer, gap_rewards
from trainer.data.rows import TrainingRow
from trainer.loops.inputs import PromptInputs
from trainer.loops.rollout_run import rollout_run
from trainer.rewards.reward import Reward


def direct_logps(model: Any, row: PromptInputs, completion: Sequence[int]) -> torch.Tensor:
    """Score one completion with a plain forward pass on its own video: no batch, no sharing."""
    ids = torch.tensor([[*row.ids, *completion]])
    types = torch.zeros_like(ids)
    types[ids == model.config.image_token_id] = 1
    types[ids == model.config.video_token_id] = 2
    with torch.no_grad():
        logits = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=types,
            **row.tensors,
        ).logits[0]
    scores = logits[len(row.ids) - 1 : -1].log_softmax(dim=-1)
    return scores.gather(1, torch.tensor(completion)[:, None])[:, 0]


class Checking:
    """Mixin: compares every log-probability the trainer computes with `direct_logps`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.compared = 0
        self.largest = 0.0
        self.kinds: set[tuple[str, ...]] = set()
        self.shuffled = 0
        """Of the compared completions, those behind shuffled prompts."""

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **options: Any
    ) -> Any:
        logps, *others = super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, logits_to_keep, **options
        )
        plain = self.accelerator.unwrap_model(model)
        self.kinds.add(tuple(sorted({str(c.kind) for row in self._batch for c in row.clips})))
        for at, row in enumerate(self._batch):
            mask = attention_mask[at, -logits_to_keep:].bool()
            completion = input_ids[at, -logits_to_keep:][mask].tolist()
            wanted = direct_logps(plain, row, completion)
            difference = (logps[at][mask] - wanted).abs().max().item()
            self.largest = max(self.largest, difference)
            self.compared += len(completion)
            self.shuffled += any(clip.indices != tuple(sorted(clip.indices)) for clip in row.clips)
        return logps, *others


class CheckingTGRPO(Checking, VideoTGRPOTrainer):
    """T-GRPO that checks its log-probabilities."""


class CheckingEvidence(Checking, VideoEvidenceTrainer):
    """Evidence that checks its log-probabilities, those behind shuffled prompts, too."""


class ScriptedRollouts:
    """A sampler that returns `says(row id, shuffled, completions of this prompt so far)`."""

    reports_logps = False

    def __init__(self, processor: Any, says: Callable[[str, bool, int], str]) -> None:
        self._tokenizer = processor.tokenizer
        self._says = says

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> tuple[Any, None]:
        asked: dict[tuple[str, bool], int] = {}
        sampled = []
        for row in rows:
            key = row.id, any(clip.indices != tuple(sorted(clip.indices)) for clip in row.clips)
            text = self._says(*key, asked.get(key, 0))
            asked[key] = asked.get(key, 0) + 1
            ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            sampled.append([*ids, self._tokenizer.eos_token_id])
        return sampled, None

    def close(self) -> None:
        pass


def says(row_id: str, shuffled: bool, before: int) -> str:
    """Say something for `ScriptedRollouts`: some answers are right, and lengths differ."""
    letter = "ABCD"[(before + len(row_id) + int(row_id[-1])) % 4]
    return f"<think>{'so ' * (before + 1)}</think>\n<answer>{letter}</answer>"


def run_tgrpo(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    *,
    kind: type[VideoTGRPOTrainer] = VideoTGRPOTrainer,
    says: Callable[[str, bool, int], str] | None = None,
    callbacks: Sequence[Any] = (),
) -> tuple[Any, Any]:
    """Train as `tgrpo.train` does, and return the trainer and its inputs."""
    rewards = tgrpo_rewards(recipe.reward)
    return _run(recipe, out, rows, rewards, partial(kind, rollout=recipe.rollout), says, callbacks)


def run_contrast(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    *,
    kind: type[VideoContrastTrainer] = VideoContrastTrainer,
    says: Callable[[str, bool, int], str] | None = None,
) -> tuple[Any, Any]:
    """The same for `tgrpo_contrast.train`."""
    make = partial(kind, rollout=recipe.rollout)
    return _run(recipe, out, rows, grpo_rewards(recipe.reward), make, says)


def run_gap(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    *,
    kind: type[VideoGapTrainer] = VideoGapTrainer,
    says: Callable[[str, bool, int], str] | None = None,
) -> tuple[Any, Any]:
    """The same for `tgrpo_gap.train`."""
    make = partial(kind, rollout=recipe.rollout)
    return _run(recipe, out, rows, gap_rewards(recipe.reward), make, says)


def run_evidence(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    *,
    kind: type[VideoEvidenceTrainer] = VideoEvidenceTrainer,
    says: Callable[[str, bool, int], str] | None = None,
) -> tuple[Any, Any]:
    """The same for `tgrpo_evidence.train`."""
    make = partial(kind, rollout=recipe.rollout, reward=recipe.reward)
    return _run(recipe, out, rows, evidence_rewards(recipe.reward), make, says)


def run_grpo(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    *,
    kind: type[VideoGRPOTrainer] = VideoGRPOTrainer,
    says: Callable[[str, bool, int], str] | None = None,
    callbacks: Sequence[Any] = (),
) -> Any:
    """The same for `grpo.train`; returns the trainer alone."""
    return _run(recipe, out, rows, grpo_rewards(recipe.reward), kind, says, callbacks)[0]


def _run(
    recipe: Any,
    out: Path,
    rows: Sequence[TrainingRow],
    rewards: Sequence[Reward],
    make: Callable[..., Any],
    says: Callable[[str, bool, int], str] | None,
    callbacks: Sequence[Any] = (),
) -> tuple[Any, Any]:
    with rollout_run(
        recipe, out, checkpoint=checkpoint_of(recipe), rows=rows, callbacks=callbacks
    ) as run:
        arguments = run.arguments(rewards)
        if says is not None:
            arguments["rollouts"] = ScriptedRollouts(run.loaded.processor, says)
        trainer = make(**arguments)
        run.train(trainer)
    return trainer, run.inputs
