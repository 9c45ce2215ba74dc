"""The prompts of one batch of completions, and which of them are sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.loops.inputs import PromptInputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptBatch:
    """The prompts of a batch of completions, those of this process."""

    rows: list[PromptInputs]
    """The prompt of each completion."""
    shuffled: Mapping[int, Sequence[PromptInputs]]
    """Prompts with shuffled frames to sample as well, by the index of their row."""

    @property
    def sound(self) -> list[int]:
        """Indices of the rows whose media could be decoded."""
        return [at for at, row in enumerate(self.rows) if row.failure is None]

    @property
    def prompts(self) -> list[PromptInputs]:
        """What is sampled: the sound rows, then the shuffled prompts.

        Sampling is a collective operation where weights are sharded: a process whose rows all
        failed samples for one of them, and the completion is not used.
        """
        sound = [self.rows[at] for at in self.sound]
        beside = [prompt for prompts in self.shuffled.values() for prompt in prompts]
        return [*sound, *beside] or self.rows[:1]

    def fill(self, values: Sequence[Any], other: Any) -> list[Any]:
        """Return one value per row, from one per prompt that is sampled.

        Args:
            values: One per prompt of `prompts`.
            other: The value of a row that is not sampled.
        """
        known = dict(zip(self.sound, values, strict=False))
        return [known.get(at, other) for at in range(len(self.rows))]

    def of_shuffled(self, values: Sequence[Any]) -> dict[int, list[Any]]:
        """Return the values of the shuffled prompts, by the index of their row."""
        left = iter(values[len(self.sound) :])
        return {at: [next(left) for _ in prompts] for at, prompts in self.shuffled.items()}
