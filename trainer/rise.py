"""How much a metric of a training rose: its last steps against its first, with an interval.

Steps are the units: each one asks other prompts. Within the steps that are averaged the policy goes
on learning, which widens the interval, so it errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

SHARE = 0.2
"""Of the steps: as many at the start and at the end are compared."""

_LEAST = 5
"""Steps on each side without which nothing is said."""
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """Two means and their difference."""

    steps: int
    """Steps averaged at the start, and as many at the end."""
    first: float
    last: float
    ci95: tuple[float, float]
    """Of the difference."""

    @property
    def difference(self) -> float:
        """Last minus first."""
        return self.last - self.first


def rise(values: Sequence[float]) -> Rise | None:
    """Compare the last fifth of a metric with the first; None where there are too few steps.

    The interval is ``difference +- 1.96 sqrt(var(first) / n + var(last) / n)``.
    """
    count = math.floor(len(values) * SHARE)
    if count < _LEAST:
        return None
    first, last = values[:count], values[-count:]
    half = _Z * math.sqrt((variance(first) + variance(last)) / count)
    difference = fmean(last) - fmean(first)
    return Rise(
        steps=count,
        first=fmean(first),
        last=fmean(last),
        ci95=(difference - half, difference + half),
    )
