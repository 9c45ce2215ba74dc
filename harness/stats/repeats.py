"""Computes what an item is worth when it was answered several times.

Everything here is a function of one item's answers, so that a mean over items with an error
clustered by video follows as for any other item value. Repeats of a question are not new questions:
they make an item's value more exact, and the number of independent draws stays that of the videos
(Miller, arXiv 2411.00640).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the probability that at least one of `k` answers is right, without bias.

    ``1 - C(n-c, k) / C(n, k)``, computed as ``1 - prod(1 - k/i)`` for i from n-c+1 to n
    (Chen et al. 2021, arXiv 2107.03374, section 2.1).

    Args:
        n: Number of answers.
        c: Number of right ones among them.
        k: 1 to `n`.

    Raises:
        ValueError: `c` or `k` does not fit `n`.
    """
    _check_counts(n, k)
    if not 0 <= c <= n:
        raise ValueError(f"c: expected 0 to {n}, got {c}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def best_of_k(values: Sequence[float], k: int) -> float:
    """Return the expected best value among `k` of the answers, without bias.

    The mean of the maximum over all subsets of `k` answers. For values 0 and 1 it is `pass_at_k`;
    it also serves scores between (a mean relative accuracy).

    Args:
        values: Value of each answer, 0 to 1.
        k: 1 to the number of values.

    Raises:
        ValueError: `k` does not fit the number of values.
    """
    n = len(values)
    _check_counts(n, k)
    if all(value in (0.0, 1.0) for value in values):
        return pass_at_k(n, round(math.fsum(values)), k)
    # The i-th smallest is the best of C(i-1, k-1) subsets of C(n, k).
    ranked, weight, total = sorted(values), k / n, 0.0
    for i in range(n, k - 1, -1):
        total += weight * ranked[i - 1]
        weight *= (i - k) / (i - 1) if i > 1 else 0.0
    return total


def majority_value(votes: Sequence[tuple[Hashable | None, float]]) -> float:
    """Return the value of the most frequent answer; answers that tie share the credit.

    Repeats without an answer (None) do not vote; without any vote the value is 0. The result does
    not depend on the order of the repeats.

    Args:
        votes: Answer and value of each repeat.
    """
    ballots: defaultdict[Hashable, list[float]] = defaultdict(list)
    for answer, value in votes:
        if answer is not None:
            ballots[answer].append(value)
    if not ballots:
        return 0.0
    most = max(map(len, ballots.values()))
    winners = [values for values in ballots.values() if len(values) == most]
    return math.fsum(math.fsum(values) / most for values in winners) / len(winners)


def _check_counts(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k: expected 1 to the number of answers, {n}, got {k}")
