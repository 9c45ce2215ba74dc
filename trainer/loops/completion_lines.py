"""Write the groups of each update to ``completions.jsonl``, one line per group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.placeholders import shown_prompt
from trainer.loops.groups import describe_group
from trainer.rewards.advantages import UpdateRewards, sum_rewards
from trainer.rewards.completions import CompletionGroup
from trainer.runs.folder import COMPLETIONS
from trainer.runs.step_lines import StepLines


class CompletionLines:
    """The completions of a run with their rewards.

    Args:
        out: Folder of the run.
    """

    def __init__(self, out: Path) -> None:
        self._lines = StepLines(out / COMPLETIONS)

    def keep_until(self, step: int) -> None:
        """Remove the lines of later updates."""
        self._lines.keep_until(step)

    def write(
        self,
        step: int,
        groups: Sequence[CompletionGroup],
        rewards: UpdateRewards,
        weights: Sequence[float],
        advantages: Sequence[float | None],
        left_out: Sequence[str | None] | None = None,
    ) -> None:
        """Append the groups of an update.

        Args:
            step: The update.
            groups: The groups of all processes.
            rewards: Their rewards.
            weights: The weight of each reward.
            advantages: The advantage of each completion; None where it has no place in the batch.
            left_out: Why each group is not trained on, where groups are filtered.
        """
        if not groups:
            return
        size = len(advantages) // len(groups)
        totals = np.nan_to_num(sum_rewards(rewards.ordered, weights)).tolist()
        columns = [
            dict(zip(rewards.names, values, strict=True)) for values in rewards.ordered.tolist()
        ]
        lines = [
            describe_group(
                group,
                step=step,
                question=shown_prompt(group.sample),
                rewards=columns[at : at + size],
                totals=totals[at : at + size],
                advantages=advantages[at : at + size],
            )
            for at, group in zip(range(0, len(advantages), size), groups, strict=True)
        ]
        if left_out is not None:
            lines = [{**line, "left_out": why} for line, why in zip(lines, left_out, strict=True)]
        self._lines.append(lines)
