"""Computes the range of ranks that the data allow each model.

Every pair of models is compared. A model's best rank is one more than the number of significantly
better models; its worst rank is the number of models that are not significantly worse (itself
included). A difference is significant when it lies outside the pair's confidence interval. All
intervals of a task share one critical value, chosen so that in 95 % of cases all of them hold
together; then all true ranks lie inside their ranges together (Mogstad, Romano, Shaikh, Wilhelm,
Inference for Ranks, Review of Economic Studies 91, 2024). Bonferroni would be valid too but wider,
because pairs share models and questions and the bootstrap of the largest statistic uses that.

The largest |t| is bootstrapped by flipping the sign of whole videos (Rademacher multipliers, fixed
seed). Each draw has its own standard error, which gives the heavier tails of few videos: with
z = |sum w D| / sqrt(sum D^2), t = z sqrt((C - 1) / (C - z^2)) grows with z, the same for all pairs.
Where a few videos hold much of the weight, the critical value keeps its level but is that of t with
fewer degrees of freedom (`harness.stats.estimate.effective_clusters`).
The flips themselves, as a difference equal in every video, count as one more pair: where the videos
are so few that even this difference could be chance, no difference is significant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
DRAWS = 4000
SEED = 20260101

_CHUNK = 500
"""Draws held in memory at once."""


@dataclass(frozen=True, slots=True)
class RankRange:
    """The ranks that a model may have; 1 is best."""

    best: int
    worst: int

    def __str__(self) -> str:
        return f"{self.best}" if self.best == self.worst else f"{self.best}-{self.worst}"


def rank_ranges(
    scores: NDArray[np.float64],
    influence: NDArray[np.float64],
    effective: float | None = None,
) -> list[RankRange]:
    """Return one range per model.

    Args:
        scores: Shape (models,); higher is better.
        influence: Contribution of each video to each score, shape (videos, models).
        effective: As many videos of equal weight are worth the same; None: all of them.
    """
    better = _significantly_better(scores, influence, effective or float(len(influence)))
    return [
        RankRange(1 + int(above), scores.size - int(below))
        for above, below in zip(better.sum(axis=0), better.sum(axis=1), strict=True)
    ]


def _significantly_better(
    scores: NDArray[np.float64], influence: NDArray[np.float64], effective: float
) -> NDArray[np.bool_]:
    """Return for every (row, column) whether the row's model is significantly better."""
    n_clusters, n_models = influence.shape
    nothing = np.zeros((n_models, n_models), dtype=np.bool_)
    if n_clusters < 2:
        return nothing
    spread = _pair_spreads(influence)
    critical = _with_degrees(_critical_value(influence, spread), n_clusters - 1, effective - 1)
    if math.isinf(critical):
        return nothing
    errors = spread * math.sqrt(n_clusters / (n_clusters - 1))
    better: NDArray[np.bool_] = scores[:, None] - scores > critical * errors
    return better


def _pair_spreads(influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sqrt(sum of squared differences) of every pair; exactly 0 for equal columns."""
    columns = influence.T
    return np.array([np.sqrt(((columns - column) ** 2).sum(axis=1)) for column in columns])


def _critical_value(influence: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """Return the value that the largest |t| of all pairs stays below in 95 % of draws.

    It is infinite where there are too few videos for any difference to be significant.
    """
    n_clusters, n_models = influence.shape
    first, second = np.triu_indices(n_models, 1)
    measured = spread[first, second] > 0
    first, second = first[measured], second[measured]
    scale = spread[first, second]
    rng = np.random.default_rng(SEED)
    largest = []
    for _ in range(DRAWS // _CHUNK):
        flips = 2.0 * rng.integers(0, 2, size=(_CHUNK, n_clusters), dtype=np.int8) - 1.0
        drawn = flips @ influence
        common = np.abs(flips.sum(axis=1)) / math.sqrt(n_clusters)
        pairs = np.abs(drawn[:, first] - drawn[:, second]) / scale
        largest.append(np.maximum(common, pairs.max(axis=1, initial=0.0)))
    z = float(np.quantile(np.concatenate(largest), CONFIDENCE, method="higher"))
    room = n_clusters - z * z
    return math.inf if room < 1e-9 else z * math.sqrt((n_clusters - 1) / room)


def _with_degrees(critical: float, degrees: int, effective: float) -> float:
    """Return the value that t with other degrees of freedom exceeds as rarely."""
    from scipy.special import stdtr, stdtrit

    if math.isinf(critical) or effective > degrees * (1 - 1e-9):
        return critical
    return -float(stdtrit(effective, stdtr(degrees, -critical)))
