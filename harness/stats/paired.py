"""Compares two models on the same items: difference, bounds and p values.

Pairing removes the difficulty of the items; clustering accounts for questions about one video that
succeed and fail together (Miller, arXiv 2411.00640, section 4). All differences are candidate minus
base in the unit of the values, all tests are one-sided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.estimate import (
    Estimate,
    cluster_sums,
    estimate_tree,
    tree_mean,
    tree_weights,
)

FLIPS = 9_999
_FLIPS_AT_ONCE = 1_000


def paired_difference(
    base: ArrayLike,
    candidate: ArrayLike,
    clusters: Sequence[str],
    paths: Sequence[tuple[str, ...]] | None = None,
    *,
    span: float = 1.0,
) -> Estimate:
    """Estimate candidate minus base, a tree mean of item differences, with its clustered error.

    Args:
        base: Item scores in [0, 1], shape (n,).
        candidate: Scores of the same items in the same order.
        clusters: Video id of each item.
        paths: Path of each item in the tree of means; None is the plain mean.
        span: Largest difference that an item can show: 1 for scores, 2 for gains in [-1, 1].

    Raises:
        ValueError: There are no items.
    """
    tree = tree_mean(_paired_differences(base, candidate), clusters, paths)
    found = replace(estimate_tree(tree, len(clusters)), span=span)
    return found if found.se is None else replace(found, ci95=bounds(found, alpha=0.025))


def bounds(difference: Estimate, alpha: float) -> tuple[float, float]:
    """Return the lower and upper bound of a difference, each missed with probability `alpha`.

    Student's t with the degrees of freedom of the estimate. If all C videos show the same
    difference, the spread is zero but the uncertainty is not: a share of other videos of which none
    was drawn in C may differ in any way, and that share is below ``1 - alpha ** (1/C)`` (the "rule
    of three").
    """
    from scipy.special import stdtrit

    mean, se, span = difference.mean, _require_se(difference), difference.span
    if se > 0:
        half = float(stdtrit(difference.degrees, 1 - alpha)) * se
        return max(-span, mean - half), min(span, mean + half)
    unseen = 1 - alpha ** (1 / difference.n_clusters)
    return (1 - unseen) * mean - unseen * span, (1 - unseen) * mean + unseen * span


def p_below(difference: Estimate, threshold: float) -> float:
    """Return the p value against a true difference of `threshold` or more.

    It is below alpha if and only if the upper one of `bounds` is below `threshold`.
    """
    from scipy.special import stdtr

    mean, se = difference.mean, _require_se(difference)
    if se > 0:
        return float(stdtr(difference.degrees, (mean - threshold) / se))
    if mean >= threshold:
        return 1.0
    return float((1 - (threshold - mean) / (difference.span - mean)) ** difference.n_clusters)


def p_above(difference: Estimate, threshold: float) -> float:
    """Return the p value against a true difference of `threshold` or less."""
    return p_below(replace(difference, mean=-difference.mean), -threshold)


def sign_flip_p(
    base: ArrayLike,
    candidate: ArrayLike,
    clusters: Sequence[str],
    paths: Sequence[tuple[str, ...]] | None = None,
    *,
    seed: int = 0,
) -> float:
    """Return the p value of a drop, by flipping the signs of whole videos at random.

    It assumes only that the two models are exchangeable. With one binary question per video it is
    McNemar's exact test, up to the `FLIPS` drawn instead of all.
    """
    differences = _paired_differences(base, candidate)
    weights = tree_weights([()] * len(differences) if paths is None else paths)
    sums = cluster_sums(weights * differences, clusters)
    sums = sums[np.abs(sums) > 1e-15]
    observed = float(sums.sum()) + 1e-12  # sums that differ by rounding count as equal
    generator = np.random.default_rng(seed)
    as_low = 0
    for start in range(0, FLIPS, _FLIPS_AT_ONCE):
        draws = min(_FLIPS_AT_ONCE, FLIPS - start)
        kept = generator.integers(0, 2, size=(draws, sums.size), dtype=np.int8)
        as_low += int(np.count_nonzero(2 * (kept @ sums) - sums.sum() <= observed))
    return (1 + as_low) / (1 + FLIPS)


def _paired_differences(base: ArrayLike, candidate: ArrayLike) -> NDArray[np.float64]:
    before, after = np.asarray(base, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if before.shape != after.shape:
        raise ValueError(f"scores are not paired: {before.size} and {after.size} items")
    return after - before


def _require_se(difference: Estimate) -> float:
    if difference.se is None:
        raise ValueError("a bound needs at least two videos (clusters)")
    return difference.se


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted by Holm's method, in the order given.

    Rejecting where they are below alpha keeps the probability of any false rejection below alpha,
    whatever the dependence between the tests.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, position in enumerate(ranked):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted
