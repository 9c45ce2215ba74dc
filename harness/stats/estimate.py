"""Computes scores with standard errors and intervals, clustered by video.

Questions about one video share its difficulty, so that videos are independent draws and items are
not. A score is a weighted mean of items (every tree of unweighted means is one). Its standard error
comes from each video's total influence on it (Miller, arXiv 2411.00640, eq. 4, with the
finite-cluster factor C/(C-1)), its interval from Student's t.

With C videos of equal weight t has C-1 degrees of freedom. Where a few videos hold much of the
weight, the error is known less well than their number says, and too small: t then has one less
than `effective_clusters`, the number of videos of equal weight that are worth the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    effective_clusters: float | None = None
    """As many clusters of equal weight are worth the same; None: the clusters have equal weight."""
    item_variance_factor: float | None = None
    """Variance of the mean if each item had variance 1, independently; None: 1/n."""
    span: float = 1.0
    """Largest difference that one item can show; for means of values it says nothing."""

    @property
    def degrees(self) -> float:
        """Degrees of freedom of Student's t."""
        clusters = self.n_clusters if self.effective_clusters is None else self.effective_clusters
        return clusters - 1


@dataclass(frozen=True, slots=True)
class TreeMean:
    """A tree mean with what its error and its degrees of freedom are computed from."""

    mean: float
    influence: NDArray[np.float64]
    """How far each cluster moves the mean, in order of first appearance."""
    shares: NDArray[np.float64]
    """Share of the weight that each cluster holds, in the same order."""
    item_variance_factor: float
    """Sum of the squared item weights."""


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
    return with_interval(estimate_tree(tree_mean(values, clusters, paths), len(clusters)))


def with_interval(found: Estimate) -> Estimate:
    """Return an estimate of values in [0, 1] with its 95 % interval, where it has an error."""
    if found.se is None:
        return found
    interval = (
        t_interval(found.mean, found.se, found.degrees + 1)
        if found.se > 0
        else wilson(found.mean, found.n_clusters)
    )
    return replace(found, ci95=interval)


def estimate_tree(tree: TreeMean, n: int) -> Estimate:
    """Return the mean of `n` items with its standard error and no interval."""
    return Estimate(
        mean=tree.mean,
        se=standard_error(tree.influence),
        ci95=None,
        n=n,
        n_clusters=tree.shares.size,
        effective_clusters=effective_clusters(tree.shares),
        item_variance_factor=tree.item_variance_factor,
    )


def tree_mean(
    values: ArrayLike, clusters: Sequence[str], paths: Sequence[tuple[str, ...]] | None = None
) -> TreeMean:
    """Compute a tree mean of item values and the influence and weight of each cluster.

    Raises:
        ValueError: There are no items.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.size == 0:
        raise ValueError("an estimate needs at least one item")
    tree = [()] * scores.size if paths is None else list(paths)
    weights = tree_weights(tree)
    influence = weights * (scores - _leaf_means(scores, tree))
    return TreeMean(
        mean=float(weights @ scores),
        influence=cluster_sums(influence, clusters),
        shares=cluster_sums(weights, clusters),
        item_variance_factor=float(weights @ weights),
    )


def effective_clusters(shares: NDArray[np.float64]) -> float:
    """Return how many clusters of equal weight give as many degrees of freedom as these.

    It is ``1 / sqrt(sum of cubed shares)``, C for C clusters of equal weight. The usual
    ``1 / (sum of squared shares)`` (Kish) is the right one if only items vary; if whole videos vary
    too, a heavy video counts for more and also hides a part of its own deviation, which moves the
    mean. Measured on 40 videos, one with a third of the questions: of 2,000 simulated pairs of
    equal models a test at 5 % calls 6.0 % a regression with this number, 8.5 % with Kish's and
    12.0 % with C; the 95 % interval holds the truth in 96.6, 93.5 and 86.9 %
    (``tests/bench/bench_gate.py``, seed 1).
    """
    return float(1 / np.sqrt(np.sum(shares**3))) if shares.size else 0.0


def standard_error(totals: NDArray[np.float64]) -> float | None:
    """Return the standard error of a mean from the influences of its clusters; None below two."""
    if totals.size < 2:
        return None
    sum_of_squares = float(totals @ totals)
    if sum_of_squares < _ROUNDING:
        return 0.0
    return math.sqrt(totals.size / (totals.size - 1) * sum_of_squares)


def t_interval(mean: float, se: float, clusters: float) -> tuple[float, float]:
    """Return the 95 % t interval with C-1 degrees of freedom, clipped to [0, 1].

    Args:
        mean: Score, 0 to 1.
        se: Its standard error, above 0.
        clusters: C, the (effective) number of clusters, above 1.
    """
    from scipy.special import stdtrit

    half = float(stdtrit(clusters - 1, 0.975)) * se
    return _clip_around(mean, mean - half, mean + half)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion of `n` independent draws.

    It is used if all items have the same score: the observed variance is zero, the uncertainty is
    not. Every video counts as one draw, the conservative choice if no spread can be measured.
    """
    z = 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return _clip_around(share, centre - half, centre + half)


def _clip_around(mean: float, low: float, high: float) -> tuple[float, float]:
    """Clip an interval to [0, 1] such that it contains its mean, whatever rounding did."""
    return min(mean, max(0.0, low)), max(mean, min(1.0, high))


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
