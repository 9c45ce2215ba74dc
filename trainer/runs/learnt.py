"""Say what a finished training has learnt from: updates, groups, truncated completions.

Read from the files of the run, so that a resumed run counts the updates before it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.files import read_json_lines
from trainer.rewards.advantages import Effect
from trainer.rewards.completions import differ
from trainer.runs.effects import describe_effects, read_effects
from trainer.runs.folder import COMPLETIONS
from trainer.runs.step_lines import read_metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """The counts of a run's end."""

    updates: int
    groups: int = 0
    """Groups of completions, of all updates; 0 where nothing is sampled (SFT)."""
    failed_groups: int = 0
    """Of these, groups whose media could not be decoded."""
    groups_without_spread: int = 0
    """Of these, groups of one reward: no completion is better than the mean."""
    completions: int = 0
    truncated: int = 0
    """Completions that were cut at the token limit."""
    best_reward: float = 0.0
    """The highest accuracy reward of any completion."""
    failed_rows: float | None = None
    """Share of SFT's rows whose media could not be decoded; None where it was not logged."""
    still: bool = False
    """Whether the gradient was 0 at every log."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """Mean effect of each reward but the accuracy on the advantages; empty where it was not logged,
    as in runs before 0.2."""

    @property
    def nothing(self) -> str | None:
        """Why the run has learnt nothing; None: it has learnt from something."""
        groups = self.groups
        if groups:
            if self.failed_groups == groups:
                return "every group failed: no media could be decoded"
            if self.truncated == self.completions:
                return (
                    "every completion was cut at rollout.max_completion_length, so that none ends"
                )
            if self.failed_groups + self.groups_without_spread == groups:
                reason = "no group had two different rewards"
                return reason if self.best_reward else f"{reason}, and no answer was paid"
        if self.failed_rows is not None and self.failed_rows >= 1:
            return "every row failed: no media could be decoded"
        return "every gradient was 0" if self.still and self.updates else None

    def __str__(self) -> str:
        parts = [f"{self.updates:,} updates"]
        if self.groups:
            share = self.truncated / self.completions if self.completions else 0.0
            parts += [
                f"{self.groups:,} groups",
                f"{self.failed_groups:,} failed",
                f"{self.groups_without_spread:,} without spread",
                f"{share:.1%} of completions truncated",
            ]
        elif self.failed_rows is not None:
            parts.append(f"{self.failed_rows:.1%} of rows failed")
        effects = describe_effects(self.effects)
        return ", ".join(parts) + (f"; {effects}" if effects else "")


def read_learnt(run: Path) -> Learnt:
    """Count what the files of a run say."""
    logs = read_metrics(run)
    updates = max((line["step"] for line in logs), default=0)
    norms = [line["grad_norm"] for line in logs if line.get("grad_norm") is not None]
    still = bool(norms) and not any(norms)
    if (run / COMPLETIONS).is_file():
        counted = _count_groups(_read_lines(run / COMPLETIONS), updates)
        return replace(counted, effects=read_effects(logs))
    return Learnt(updates=updates, still=still, failed_rows=_failed_share(logs))


def _count_groups(groups: Iterable[Mapping[str, Any]], updates: int) -> Learnt:
    number = failed = alike = completions = truncated = 0
    best = 0.0
    for group in groups:
        number += 1
        ordered = group["ordered"]
        if group["failure"] is not None or not ordered:
            failed += 1
            continue
        totals = [completion["reward"] for completion in ordered]
        alike += not differ(totals)
        completions += len(ordered)
        truncated += sum(bool(completion["truncated"]) for completion in ordered)
        best = max(best, *(completion["rewards"].get("accuracy") or 0.0 for completion in ordered))
    return Learnt(
        updates=updates,
        groups=number,
        failed_groups=failed,
        groups_without_spread=alike,
        completions=completions,
        truncated=truncated,
        best_reward=best,
    )


def _failed_share(logs: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the share of failed rows; a log has the means per pass since the log before it."""
    total = 0.0
    last = 0
    for line in logs:
        if line.get("rows") and line.get("failed_rows") is not None:
            total += (line["step"] - last) * line["failed_rows"] / line["rows"]
            last = line["step"]
    return total / last if last else None


def _read_lines(path: Path) -> Iterable[Mapping[str, Any]]:
    return (line for _, line in read_json_lines(path)) if path.is_file() else ()
