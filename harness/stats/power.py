"""Computes the power of a comparison: the smallest detectable drop, and the items for a margin.

The standard error of the measured difference contains the two quantities that matter: the share of
items on which the models disagree and the design effect of shared videos,
``SE = sqrt(discordance * design effect / n)``.
"""

from __future__ import annotations

import math

from harness.stats.estimate import Estimate


def minimum_detectable_effect(difference: Estimate, *, alpha: float, power: float) -> float | None:
    """Return the true drop that a one-sided test at `alpha` detects with probability `power`.

    None if no spread was measured, since the spread under a real drop is then unknown.
    """
    if not difference.se:
        return None
    return _sum_of_quantiles(alpha, power, difference.n_clusters - 1) * difference.se


def items_needed(difference: Estimate, margin: float, *, alpha: float, power: float) -> int | None:
    """Return the items needed to show, with probability `power`, an equal model within `margin`.

    Further items are assumed to come in videos like the present ones. None if no number is enough.
    """
    if difference.se is None or margin <= 0:
        return None
    if difference.se == 0:
        per_cluster = difference.n / difference.n_clusters
        return math.ceil(per_cluster * math.log(alpha) / math.log1p(-min(margin, 0.999)))
    ratio = _sum_of_quantiles(alpha, power, math.inf) * difference.se / margin
    return math.ceil(difference.n * ratio**2)


def _sum_of_quantiles(alpha: float, power: float, degrees: float) -> float:
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees):
        return float(ndtri(1 - alpha) + ndtri(power))
    return float(stdtrit(degrees, 1 - alpha) + stdtrit(degrees, power))
