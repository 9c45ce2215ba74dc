"""Decides which prompts a batch of completions has, and when they are decoded and sampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.schema import Sample
from trainer.loops.ahead import AheadRollouts, NextBatch, Wait
from trainer.loops.epoch_sampler import EpochSampler, SetEpoch
from trainer.loops.hooks import AlgorithmHooks
from trainer.loops.inputs import InputBuilder, PendingInput
from trainer.loops.prompt_batch import PromptBatch
from trainer.loops.rollouts import Rollouts


class PromptBatches(AlgorithmHooks):
    """Mixin of `GRPOTrainer`: the rows of a batch, ahead of time where that is asked for."""

    args: Any
    state: Any
    _inputs: InputBuilder
    _samples: list[Sample]
    _rollouts: Rollouts
    _next: NextBatch | None = None

    def collate(self, examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Collate a batch and start decoding its media, one step before they are needed."""
        if self._next:  # it has started
            return list(examples)
        pending = self.start_decoding([example["row"] for example in examples])
        return [{**example, "pending": one} for example, one in zip(examples, pending, strict=True)]

    def start_decoding(self, numbers: Sequence[int]) -> list[PendingInput]:
        """Start decoding the media of rows of the training data."""
        return self._inputs.start(self._samples[number] for number in numbers)

    def make_batch(self, pending: Sequence[PendingInput], step: int) -> PromptBatch:
        """Wait for media and build the prompts of a batch; `step` as for `shuffled_prompts`."""
        rows = self._inputs.build(pending)
        return PromptBatch(rows=rows, shuffled=self.shuffled_prompts(rows, step))

    def take_batch(self, examples: Sequence[dict[str, Any]]) -> tuple[PromptBatch, Wait]:
        """Return the prompts of a collated batch, and what returns their completions."""
        numbers = [example["row"] for example in examples]
        if self._next and (begun := self._next.take(numbers)):
            return begun
        decoding = [example["pending"] for example in examples if "pending" in example]
        batch = self.make_batch(decoding or self.start_decoding(numbers), self.state.global_step)
        return batch, lambda: self._rollouts.sample(self, batch.prompts)

    def get_prompt_sampler(self, dataset: Any = None) -> EpochSampler:
        """Return TRL's sampler of prompts, which also knows the order of a later epoch."""
        trainer: Any = super()
        return EpochSampler.like(trainer._get_train_sampler(dataset))

    def _get_train_sampler(self, dataset: Any = None) -> EpochSampler:
        sampler = self.get_prompt_sampler(dataset)
        trainer: Any = self
        trainer.add_callback(SetEpoch(sampler))
        return sampler

    # Sampling one batch ahead.

    def sample_ahead(self, rollouts: AheadRollouts) -> None:
        """Sample the next batch while the present one is trained on, from the first update on."""
        self._next = NextBatch(self, rollouts)

    def restore_batch(self, checkpoint: str | None) -> None:
        """Read the completions that were under way when a checkpoint was saved."""
        if self._next and checkpoint:
            self._next.load(Path(checkpoint))

    def begin_next_batch(self) -> None:
        """Begin to sample the batch after the present one, where that is asked for."""
        if self._next:
            self._next.start()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self._next:  # before the Trainer's state, with which a checkpoint is complete
            self._next.save(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
        trainer: Any = super()
        trainer._save_checkpoint(model, trial)
