"""Several tests at once: Holm's step-down correction (Holm 1979, Scand. J. Stat. 6:65)."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p values in the order given.

    Calling what falls below alpha keeps the chance of any false call below alpha, whatever the
    dependence between the tests.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, position in enumerate(ranked):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted
