"""Statistics of scores whose items share videos: intervals, comparisons, power."""

from harness.stats.crossed import crossed_estimate
from harness.stats.estimate import (
    Estimate,
    clustered_estimate,
    t_interval,
    tree_weights,
    wilson,
)
from harness.stats.paired import bounds, holm, p_above, p_below, paired_difference, sign_flip_p
from harness.stats.power import items_needed, minimum_detectable_effect

__all__ = [
    "Estimate",
    "bounds",
    "clustered_estimate",
    "crossed_estimate",
    "holm",
    "items_needed",
    "minimum_detectable_effect",
    "p_above",
    "p_below",
    "paired_difference",
    "sign_flip_p",
    "t_interval",
    "tree_weights",
    "wilson",
]
