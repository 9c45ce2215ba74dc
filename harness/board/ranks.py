"""Which ranks the data allow a model: simultaneous comparisons of every pair of models.

A model's best rank is one more than the number of models that are certainly better, its worst the
number of models that are not certainly worse. "Certainly" means outside the pair's interval, and
all intervals of a task share one critical value under which they hold together in 95 % of cases;
then all true ranks lie inside their ranges together (Mogstad, Romano, Shaikh, Wilhelm, Inference
for Ranks, Review of Economic Studies 91, 2024). Bonferroni would be valid too, but wider: pairs
share models and questions, and the bootstrap of the largest statistic knows it.

The largest |t| is bootstrapped by flipping the sign of whole videos (Rademacher multipliers, fixed
seed), each draw with its own standard error, which gives the heavier tails of few videos: with
z = |sum w D| / sqrt(sum D^2), t = z sqrt((C - 1) / (C - z^2)) grows with z, the same for all pairs.
The flips themselves, a difference equal in every video, count as one more pair: with so few videos
that even they cannot be told from chance nothing is certain.
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


def rank_ranges(scores: NDArray[np.float64], influence: NDArray[np.float64]) -> list[RankRange]:
    """Return one range per model.

    Args:
        scores: Shape (models,); higher is better.
        influence: What each video moved each score by, shape (videos, models).
    """
    certain = _certainly_better(scores, influence)
    return [
        RankRange(1 + int(above), scores.size - int(below))
        for above, below in zip(certain.sum(axis=0), certain.sum(axis=1), strict=True)
    ]


def _certainly_better(
    scores: NDArray[np.float64], influence: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell of every (row, column) whether the row's model is better than the column's."""
    n_clusters, n_models = influence.shape
    nothing = np.zeros((n_models, n_models), dtype=np.bool_)
    if n_clusters < 2:
        return nothing
    spread = _spread(influence)
    critical = _critical_value(influence, spread)
    if math.isinf(critical):
        return nothing
    errors = spread * math.sqrt(n_clusters / (n_clusters - 1))
    certain: NDArray[np.bool_] = scores[:, None] - scores > critical * errors
    return certain


def _spread(influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sqrt(sum of squared differences) of every pair; exactly 0 for equal columns."""
    columns = influence.T
    return np.array([np.sqrt(((columns - column) ** 2).sum(axis=1)) for column in columns])


def _critical_value(influence: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """Return the value that the largest |t| of all pairs stays below in 95 % of draws.

    It is infinite where the videos are too few for any certainty.
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
