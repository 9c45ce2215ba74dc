"""Computes scores with standard errors and intervals, clustered by video.

Questions about one video share its difficulty, so that videos are independent draws and items are
not. A score is a weighted mean of items (every tree of unweighted means is one). Its standard error
comes from each video's total influence on it (Miller, arXiv 2411.00640, eq. 4, with the
finite-cluster factor C/(C-1)), its interval from Student's t with C-1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-28
"""Sum of squared influences below which clusters differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with standard error and interval, in the unit of its values."""

    mean: float
    se: float | None
    """None below two clusters: one video does not show how much videos differ."""
    ci95: tuple[float, float] | None
    n: int
    n_clusters: int


def tree_weights(paths: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return item weights, summing to 1, of the unweighted mean at each level of a tree.

    Two items under ``("a", "x")`` and one under ``("b",)`` weigh 1/4, 1/4 and 1/2. With empty
    paths every item weighs 1/n.
    """
    children: dict[tuple[str, ...], set[str]] = {}
    leaf_sizes: dict[tuple[str, ...], int] = {}
    for path in paths:
        leaf_sizes[path] = leaf_sizes.get(path, 0) + 1
        for depth, name in enumerate(path):
            children.setdefault(path[:depth], set()).add(name)
    leaf_weights = {
        path: math.prod(1 / len(children[path[:depth]]) for depth in range(len(path))) / size
        for path, size in leaf_sizes.items()
    }
    return np.array([leaf_weights[path] for path in paths])


def clustered_estimate(
    values: ArrayLike, clusters: Sequence[str], paths: Sequence[tuple[str, ...]] | None = None
) -> Estimate:
    """Estimate a tree mean of values in [0, 1] with its clustered standard error.

    Args:
        values: Item scores, shape (n,).
        clusters: Video id of each item.
        paths: Path of each item in the tree of means; None is the plain mean.

    Raises:
        ValueError: There are no items.
    """
    mean, totals = tree_mean(values, clusters, paths)
    n, n_clusters = len(clusters), totals.size
    se = standard_error(totals)
    if se is None:
        return Estimate(mean=mean, se=None, ci95=None, n=n, n_clusters=n_clusters)
    interval = t_interval(mean, se, n_clusters) if se > 0 else wilson(mean, n_clusters)
    return Estimate(mean=mean, se=se, ci95=interval, n=n, n_clusters=n_clusters)


def tree_mean(
    values: ArrayLike, clusters: Sequence[str], paths: Sequence[tuple[str, ...]] | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Return a tree mean and the influence of each cluster: how far it moves the mean.

    Raises:
        ValueError: There are no items.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.size == 0:
        raise ValueError("an estimate needs at least one item")
    tree = [()] * scores.size if paths is None else list(paths)
    weights = tree_weights(tree)
    influence = weights * (scores - _leaf_means(scores, tree))
    return float(weights @ scores), cluster_sums(influence, clusters)


def standard_error(totals: NDArray[np.float64]) -> float | None:
    """Return the standard error of a mean from the influences of its clusters; None below two."""
    if totals.size < 2:
        return None
    sum_of_squares = float(totals @ totals)
    if sum_of_squares < _ROUNDING:
        return 0.0
    return math.sqrt(totals.size / (totals.size - 1) * sum_of_squares)


def t_interval(mean: float, se: float, n_clusters: int) -> tuple[float, float]:
    """Return the 95 % t interval with C-1 degrees of freedom, clipped to [0, 1]."""
    from scipy.special import stdtrit

    half = float(stdtrit(n_clusters - 1, 0.975)) * se
    return max(0.0, mean - half), min(1.0, mean + half)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion of `n` independent draws.

    It is used if all items have the same score: the observed variance is zero, the uncertainty is
    not. Every video counts as one draw, the conservative choice if no spread can be measured.
    """
    z = 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def _leaf_means(
    scores: NDArray[np.float64], paths: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    count, inverse = _label_codes(paths)
    sums = np.bincount(inverse, weights=scores, minlength=count)
    means: NDArray[np.float64] = (sums / np.bincount(inverse, minlength=count))[inverse]
    return means


def cluster_sums(values: NDArray[np.float64], clusters: Sequence[str]) -> NDArray[np.float64]:
    """Sum the values of each cluster, clusters in order of first appearance."""
    count, inverse = _label_codes(clusters)
    sums = np.zeros(count)
    np.add.at(sums, inverse, values)
    return sums


def _label_codes(labels: Sequence[object]) -> tuple[int, NDArray[np.intp]]:
    """Return the number of distinct labels and each item's code, in order of first appearance."""
    numbers: dict[object, int] = {}
    inverse = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)
    return len(numbers), inverse
