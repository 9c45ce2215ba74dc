"""Estimates a mean over clips and seeds, where the model of every seed answers the same clips.

Both are samples: other clips would be harder or easier for all models, another seed would give a
better or worse model on all clips. So the answers are not independent. This is the analysis of
variance of a crossed random design without replication (Searle, Casella & McCulloch, Variance
Components, chapter 4), with Satterthwaite's degrees of freedom. In simulations with 3 seeds and 100
clips the coverage of its 95 % intervals is 92 to 97 %, lowest where seeds vary as much as answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.estimate import Estimate
from harness.stats.paired import bounds

_MOST_SEEDS = 10_000
_ROUNDING = 1e-9
"""Relative difference below which values are equal."""
_NOTHING = 1e-24
"""Variance below which values differ by rounding only."""


def crossed_estimate(table: ArrayLike) -> Estimate:
    """Estimate the mean of a table of seeds by clips, for new seeds and new clips.

    Args:
        table: Scores, or differences of scores, shape (seeds, clips); the clips are those clusters
            that are independent of each other. One seed gives an interval over clips alone.

    Returns:
        Mean, standard error and 95 % interval. With MS the mean squares of the two-way table of S
        seeds and K clips, the variance is ``(MS_clips + max(0, MS_seeds - MS_rest)) / (S K)``:
        never less than that over clips alone.

    Raises:
        ValueError: Fewer than two clips.
    """
    values = np.atleast_2d(np.asarray(table, dtype=np.float64))
    seeds, clips = values.shape
    if clips < 2:
        raise ValueError(f"an interval over clips needs at least two, got {clips}")
    squares = _mean_squares(values)
    between = max(0.0, squares.seeds - squares.rest)
    variance = (squares.clips + between) / values.size
    mean = float(values.mean())
    if variance < _NOTHING:
        alike = Estimate(mean=mean, se=0.0, ci95=None, n=values.size, n_clusters=clips)
        return Estimate(
            mean=mean, se=0.0, ci95=bounds(alike, 0.025), n=values.size, n_clusters=clips
        )
    half = _t_quantile(squares, seeds, clips) * math.sqrt(variance)
    return Estimate(
        mean=mean,
        se=math.sqrt(variance),
        ci95=(mean - half, mean + half),
        n=values.size,
        n_clusters=clips,
    )


def seeds_needed(table: ArrayLike, half_width: float) -> int | None:
    """Return how many seeds would make the 95 % interval of the mean this narrow, on these clips.

    The variance of seeds, of clips and of the rest is estimated from the table; with S seeds the
    variance of the mean is ``seeds / S + clips / K + rest / (S K)``. Student's t has S - 1 degrees
    of freedom, fewer than `crossed_estimate` may find, so that the number is rather too large.

    Args:
        table: Scores, or differences of scores, shape (seeds, clips).
        half_width: Half of the interval, in the unit of the table; above 0.

    Returns:
        The number; None where one seed alone was measured, or more than 10,000 seeds are needed:
        then more clips are.
    """
    from scipy.special import stdtrit

    values = np.atleast_2d(np.asarray(table, dtype=np.float64))
    seeds, clips = values.shape
    if seeds < 2 or clips < 2:
        return None
    squares = _mean_squares(values)
    of_seeds = max(0.0, squares.seeds - squares.rest) / clips
    of_clips = max(0.0, squares.clips - squares.rest) / seeds
    number = np.arange(2, _MOST_SEEDS + 1)
    variance = of_seeds / number + of_clips / clips + squares.rest / (number * clips)
    enough = stdtrit(number - 1, 0.975) * np.sqrt(variance) < half_width
    return int(number[np.argmax(enough)]) if enough.any() else None


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    """Mean squares of a two-way table; `seeds` and `rest` are 0 with one seed."""

    clips: float
    seeds: float
    rest: float


def _mean_squares(values: NDArray[np.float64]) -> _MeanSquares:
    seeds, clips = values.shape
    by_seed, by_clip = values.mean(axis=1), values.mean(axis=0)
    clip_part = by_clip - values.mean()
    of_clips = seeds * float(clip_part @ clip_part) / (clips - 1)
    if seeds == 1:
        return _MeanSquares(of_clips, 0.0, 0.0)
    seed_part = by_seed - values.mean()
    rest = values - by_seed[:, None] - by_clip[None, :] + values.mean()
    return _MeanSquares(
        of_clips,
        clips * float(seed_part @ seed_part) / (seeds - 1),
        float((rest * rest).sum()) / ((seeds - 1) * (clips - 1)),
    )


def _t_quantile(squares: _MeanSquares, seeds: int, clips: int) -> float:
    """Return Student's 97.5 % quantile with Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit

    if squares.seeds <= squares.rest * (1 + _ROUNDING):
        return float(stdtrit(clips - 1, 0.975))
    combined = squares.clips + squares.seeds - squares.rest
    freedom = combined**2 / (
        squares.clips**2 / (clips - 1)
        + squares.seeds**2 / (seeds - 1)
        + squares.rest**2 / ((seeds - 1) * (clips - 1))
    )
    return float(stdtrit(freedom, 0.975))
