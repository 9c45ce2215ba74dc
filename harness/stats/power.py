"""Computes the power of a comparison: the smallest detectable drop, and the items for a margin.

The standard error of the measured difference contains the two quantities that matter: the share of
items on which the models disagree and the design effect of shared videos,
``SE = sqrt(discordance * design effect / n)``. A real drop adds to both: near the ceiling, where
equal models hardly disagree, most of the variance under a drop is that of the drop itself.
"""

from __future__ import annotations

import math

from harness.stats.estimate import Estimate

_BEYOND_ANY_TEST = 1e6
"""Quantiles of t this large mean that practically one video holds all of the weight."""


def minimum_detectable_effect(
    difference: Estimate, *, alpha: float, power: float, margin: float = 0.0
) -> float | None:
    """Return the true drop beyond `margin` that is detected with probability `power`.

    The test is one-sided at `alpha`. The drop ``D = margin + effect`` is taken to be the loss of
    a share D of the items, one by one, which adds ``D (1 - D) * sum(w_i^2)`` to the measured
    variance. The effect is the root of ``m = q * sqrt(SE^2 + D (1 - D) * sum(w_i^2))`` with q the
    sum of the two quantiles. A drop that is confined to a few videos is harder to detect.

    Args:
        difference: The measured difference; its error may be 0.
        alpha: Chance of a false detection.
        power: Chance of detecting the effect.
        margin: Accepted drop, 0 to 1.

    Returns:
        The effect, 0 to 1; None below two clusters and where no possible drop is detectable.
    """
    if difference.se is None:
        return None
    quantile = _sum_of_quantiles(alpha, power, difference.degrees)
    if not quantile < _BEYOND_ANY_TEST:
        return None
    per_item = difference.item_variance_factor or 1 / difference.n
    # The equation squared is a m^2 - 2 b m - c = 0.
    a = 1 / quantile**2 + per_item
    b = per_item * (1 - 2 * margin) / 2
    c = difference.se**2 + margin * (1 - margin) * per_item
    effect = (b + math.sqrt(b * b + a * c)) / a
    return effect if margin + effect <= difference.span else None


def items_needed(difference: Estimate, margin: float, *, alpha: float, power: float) -> int | None:
    """Return the items needed to show, with probability `power`, an equal model within `margin`.

    Further items are assumed to come in videos like the present ones. None if no number is enough.
    """
    if difference.se is None or margin <= 0:
        return None
    if difference.se == 0:
        per_cluster = difference.n / difference.n_clusters
        share = min(margin / difference.span, 0.999)
        return math.ceil(per_cluster * math.log(alpha) / math.log1p(-share))
    ratio = _sum_of_quantiles(alpha, power, math.inf) * difference.se / margin
    return math.ceil(difference.n * ratio**2)


def _sum_of_quantiles(alpha: float, power: float, degrees: float) -> float:
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees):
        return float(ndtri(1 - alpha) + ndtri(power))
    return float(stdtrit(degrees, 1 - alpha) + stdtrit(degrees, power))
