"""Scale advantages by a moving standard deviation per problem type: OneThinker's EMA-GRPO.

Problem types whose rewards vary little (spans) and much (right or wrong) then weigh alike, without
the division by a group's own deviation, which favours groups of nearly equal rewards. With r the
weighted sum of a completion's rewards, and per problem type, once per update,

    m1 <- d * m1 + (1 - d) * mean(r),    m2 <- d * m2 + (1 - d) * mean(r * r)

(the first update of a type sets both means), the advantage of a completion is

    A = (r - mean of its group) / (sqrt(max(m2 - m1 * m1, 0.001^2)) + 1e-6);

a group in which that is beyond +-5 is divided by its own deviation (not the unbiased one) instead.

Source: arXiv 2512.03043 and ``EasyR1/verl/trainer/core_algos.py`` of
github.com/tulerfeng/OneThinker at 768b20f, where d is 0.99. Each of its processes has its own
means; here all have the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.errors import CheckpointError
from trainer.rewards.advantages import Array

FILE = "task_ema.json"
"""Where a checkpoint keeps the means."""
_LEAST = 1e-3
"""The smallest deviation of a problem type."""
_EPSILON = 1e-6
_GUARD = 5.0
"""Advantages beyond it are scaled by their group."""


class TaskEma:
    """The moving means of a run.

    Args:
        decay: d, the share of a mean that stays in an update.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._moments: dict[str, tuple[float, float]] = {}

    def update(self, kinds: Sequence[str], groups: Array) -> None:
        """Add the rewards of an update.

        Args:
            kinds: Problem type of each group.
            groups: Sums of rewards, shape (groups, completions); NaN where none applies.
        """
        found: defaultdict[str, list[Array]] = defaultdict(list)
        for kind, rewards in zip(kinds, groups, strict=True):
            found[kind].append(rewards[~np.isnan(rewards)])
        for kind, parts in found.items():
            rewards = np.concatenate(parts)
            if not rewards.size:
                continue
            new = float(rewards.mean()), float((rewards * rewards).mean())
            old = self._moments.get(kind)
            d = self._decay if old is not None else 0.0
            self._moments[kind] = tuple(  # type: ignore[assignment]
                d * before + (1 - d) * now for before, now in zip(old or new, new, strict=True)
            )

    def deviation(self, kind: str) -> float:
        """Return what advantages of a problem type are divided by."""
        first, second = self._moments.get(kind, (0.0, 0.0))
        return float(max(second - first * first, _LEAST**2) ** 0.5)

    def advantages(self, kinds: Sequence[str], groups: Array) -> Array:
        """Return the advantages of an update whose rewards were added, shape (completions,).

        Args:
            kinds: Problem type of each group.
            groups: As for `update`.
        """
        found = [
            self._scale(rewards, self.deviation(kind))
            for kind, rewards in zip(kinds, groups, strict=True)
        ]
        return np.nan_to_num(np.concatenate(found))

    def metrics(self) -> dict[str, float]:
        """Return the deviation of every problem type."""
        return {f"task_ema/{kind}": self.deviation(kind) for kind in sorted(self._moments)}

    def save(self, folder: Path) -> None:
        """Write the means into the folder of a checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(self._moments), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Read the means of a checkpoint.

        Raises:
            CheckpointError: It has none, or they are no means.
        """
        try:
            content: Mapping[str, Sequence[float]] = json.loads(
                (folder / FILE).read_text(encoding="utf-8")
            )
            moments = {kind: (float(one), float(two)) for kind, (one, two) in content.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{folder / FILE}, the means of reward.task_ema_decay, cannot be read ({error});"
                " resume from another checkpoint"
            ) from error
        self._moments = moments

    def _scale(self, rewards: Array, deviation: float) -> Array:
        applied = rewards[~np.isnan(rewards)]
        centred = rewards - (applied.mean() if applied.size else 0.0)
        scaled: Array = centred / (deviation + _EPSILON)
        if applied.size and np.nanmax(np.abs(scaled)) > _GUARD:
            scaled = centred / (applied.std() + _EPSILON)
        return scaled
