"""State a reward: its name, its weight, what it is computed of, and which rows it applies to."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.schema import Kind, Sample
from trainer.rewards.completions import NOT_APPLICABLE, CompletionGroup

OfCompletion = Callable[[Sample, str], float | None]
"""Returns the reward of a completion from its row and its text; None where it does not apply."""
OfGroup = Callable[[CompletionGroup], Sequence[float | None]]
"""Returns a reward for each of the group's `ordered` completions; None where it does not apply."""


class RewardError(UsageError):
    """A reward raised, or returned what is no reward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One reward: a column in metrics and completions, and a term of the weighted sum."""

    name: str
    weight: float = 1.0
    of_completion: OfCompletion | None = None
    """What it is computed by, if each completion has its own; else `of_group`."""
    of_group: OfGroup | None = None
    kinds: tuple[Kind, ...] = tuple(Kind)
    """Problem types that it applies to."""

    def __post_init__(self) -> None:
        if (self.of_completion is None) == (self.of_group is None):
            raise ValueError(f"reward {self.name}: give one of of_completion and of_group")

    def score(self, sample: Sample, text: str, step: int) -> float:
        """Return the reward of one completion, `NOT_APPLICABLE` where it has none.

        Raises:
            RewardError: The function raised or returned no number; names reward, row and update.
        """
        if sample.kind not in self.kinds or self.of_completion is None:
            return NOT_APPLICABLE
        return self._number(
            self._call(self.of_completion, sample, step, sample, text), sample, step
        )

    def score_group(self, group: CompletionGroup, step: int) -> list[float]:
        """Return the reward of each ordered completion of a group that has not failed.

        Raises:
            RewardError: As `score`, or there is not one value per completion.
        """
        if self.of_group is None:
            return [one.rewards[self.name] for one in group.ordered]
        if group.sample.kind not in self.kinds:
            return [NOT_APPLICABLE] * len(group.ordered)
        values = self._call(self.of_group, group.sample, step, group)
        try:
            listed = list(values)
        except TypeError:
            listed = []
        if len(listed) != len(group.ordered):
            raise self._error(
                group.sample, step,
                f"expected {len(group.ordered)} values, one per completion, got {values!r:.80}",
            )  # fmt: skip
        return [self._number(value, group.sample, step) for value in listed]

    def _call(self, function: Callable[..., Any], sample: Sample, step: int, *args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}, line {frame.lineno}"
            text = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise self._error(sample, step, f"{text} ({place})") from error

    def _number(self, value: Any, sample: Sample, step: int) -> float:
        if value is None:
            return NOT_APPLICABLE
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.inf
        if math.isinf(number):
            raise self._error(sample, step, f"expected a finite number or None, got {value!r:.80}")
        return number

    def _error(self, sample: Sample, step: int, what: str) -> RewardError:
        return RewardError(f"reward {self.name}, row {sample.id}, update {step}: {what}")
