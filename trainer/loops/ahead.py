"""Sample the next batch of completions while the present one is trained on.

The completions are then of weights that are one batch old. They come with the log-probabilities
that the sampler gave them, and TRL weights them by how likely the present policy finds them
(``vllm_importance_sampling_correction``).

A checkpoint holds the completions that are under way when it is saved, so that a resumed run trains
on the same ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from harness.files.atomic import write_json
from trainer.loops.epoch_sampler import EpochSampler
from trainer.loops.inputs import PendingInput, PromptInputs
from trainer.loops.prompt_batch import PromptBatch
from trainer.loops.rollouts import Sampled

_log = logging.getLogger(__name__)

Wait = Callable[[], Sampled]
"""Waits for completions that are being sampled, and returns them; may be called again."""


class AheadRollouts(Protocol):
    """A sampler that goes on while the caller does something else."""

    def begin(self, trainer: Any, rows: Sequence[PromptInputs]) -> Wait:
        """Begin to sample one completion per row, with the present weights."""


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """A batch whose completions are being sampled, or known."""

    numbers: list[int]
    """Row of the training data, for each completion of this process."""
    batch: PromptBatch
    wait: Wait


class NextBatch:
    """Begins each batch of completions one batch early.

    Args:
        trainer: A `RolloutTrainer`; its rows, inputs and state say what the next batch is.
        rollouts: Samples.
    """

    def __init__(self, trainer: Any, rollouts: AheadRollouts) -> None:
        sampler: EpochSampler = trainer.get_prompt_sampler()
        self._trainer = trainer
        self._rollouts = rollouts
        self._per_epoch = len(sampler.data_source) // sampler.batch_size
        self._batches = lru_cache(maxsize=2)(sampler.batches)
        self._begun: _Begun | None = None
        self._restored: tuple[list[int], Sampled] | None = None
        self._decoding: list[PendingInput] = []
        """The media of the batch to begin next; held so that no cache loses them."""

    def take(self, numbers: list[int]) -> tuple[PromptBatch, Wait] | None:
        """Return the batch of these rows with its completions, None where it was not begun."""
        begun, self._begun = self._begun or self._rebuild(), None
        if begun is None:
            return None
        if begun.numbers != numbers:
            _log.warning(
                "the next batch was sampled for the rows %s and has the rows %s: it is sampled"
                " again",
                sorted(set(begun.numbers)),
                sorted(set(numbers)),
            )
            return None
        return begun.batch, begun.wait

    def start(self) -> None:
        """Begin the batch after the present one, and decode the media of the one after that."""
        trainer = self._trainer
        number = trainer.state.global_step // trainer.num_iterations + 1
        numbers = self._rows_of(number)
        if not numbers:
            return
        pending = self._decoding or trainer.start_decoding(numbers)
        batch = trainer.make_batch(pending, number * trainer.num_iterations)
        self._begun = _Begun(numbers, batch, self._rollouts.begin(trainer, batch.prompts))
        self._decoding = trainer.start_decoding(self._rows_of(number + 1))

    def save(self, folder: Path) -> None:
        """Wait for the completions that are under way, and write them into a checkpoint."""
        if self._begun is not None:
            folder.mkdir(parents=True, exist_ok=True)
            sampled = list(self._begun.wait())
            write_json(self._file(folder), {"rows": self._begun.numbers, "sampled": sampled})

    def load(self, folder: Path) -> None:
        """Read the completions that a checkpoint holds; that of the last update has none."""
        if (file := self._file(folder)).exists():
            content = json.loads(file.read_text(encoding="utf-8"))
            ids, logps = content["sampled"]
            self._restored = content["rows"], (ids, logps)

    def _rebuild(self) -> _Begun | None:
        """Return the batch that was read from a checkpoint, None where there is none."""
        restored, self._restored = self._restored, None
        if restored is None:
            return None
        numbers, sampled = restored
        pending = self._trainer.start_decoding(numbers)
        batch = self._trainer.make_batch(pending, self._trainer.state.global_step)
        if len(batch.prompts) != len(sampled[0]):
            _log.warning("other media can be decoded than before: the batch is sampled again")
            return None
        return _Begun(numbers, batch, lambda: sampled)

    def _rows_of(self, number: int) -> list[int]:
        """Return the rows of a batch of completions in this process, none after the last batch.

        Args:
            number: Counted from 0 over all epochs.
        """
        trainer = self._trainer
        if number * trainer.num_iterations >= trainer.state.max_steps:
            return []
        epoch, at = divmod(number, self._per_epoch)
        prompts = self._batches(epoch)[at]
        rows = [row for row in prompts for _ in range(trainer.num_generations)]
        size = len(rows) // trainer.accelerator.num_processes
        start = trainer.accelerator.process_index * size
        return rows[start : start + size]

    def _file(self, folder: Path) -> Path:
        return folder / f"rollouts-{self._trainer.accelerator.process_index}.json"
