"""Sample the prompts of any epoch in the order that an uninterrupted run has.

TRL's `RepeatSampler` draws one permutation per epoch from a generator that is in no checkpoint: a
resumed run would begin again with the permutation of the first epoch (as in
github.com/modelscope/ms-swift issue 10050).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import TrainerCallback

from trainer.loops.trl_names import RepeatSampler


class EpochSampler(RepeatSampler):  # type: ignore[misc]
    """`RepeatSampler` whose order depends on seed and epoch alone.

    The order of an epoch is the one that `RepeatSampler` has when it is iterated for the
    (epoch + 1)-th time.
    """

    epoch = 0
    """Epoch that the next iteration is of, counted from 0."""

    @classmethod
    def like(cls, sampler: RepeatSampler) -> EpochSampler:
        """Return a sampler of the same rows and repetitions."""
        return cls(
            sampler.data_source,
            mini_repeat_count=sampler.mini_repeat_count,
            batch_size=sampler.batch_size,
            repeat_count=sampler.repeat_count,
            shuffle=sampler.shuffle,
            seed=sampler.seed,
        )

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the row numbers of an epoch, of each prompt once, by batch of prompts."""
        once = EpochSampler(
            self.data_source,
            mini_repeat_count=1,
            batch_size=self.batch_size,
            repeat_count=1,
            shuffle=self.shuffle,
            seed=self.seed,
        )
        once.epoch = epoch
        rows = list(once)
        return [rows[at : at + self.batch_size] for at in range(0, len(rows), self.batch_size)]

    def __iter__(self) -> Iterator[int]:
        """Yield row numbers of the epoch, each repeated as `RepeatSampler` does."""
        if self.shuffle:
            self.generator.manual_seed(self.seed)
            for _ in range(self.epoch):
                torch.randperm(self.num_samples, generator=self.generator)
        yield from super().__iter__()


class SetEpoch(TrainerCallback):  # type: ignore[misc]
    """Tells an `EpochSampler` at the beginning of each epoch which one it is.

    The Trainer's own `set_epoch` reaches neither the sampler of one process below accelerate's
    wrappers nor that of a resumed epoch, of which batches are skipped.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self._sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the epoch; a resumed run is amid one."""
        self._sampler.epoch = int(state.epoch or 0)
