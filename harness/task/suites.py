"""Names for sets of tasks: ``--tasks paper`` selects the six benchmarks of the Video-R1 paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    # The columns of Table 1 in arXiv 2503.21776, in its order.
    "paper": (
        "vsibench", "videommmu", "mmvu:multiple-choice", "mvbench", "tempcompass", "videomme",
    ),
    # The paper's "video reasoning benchmarks", and one made for reasoning models since.
    "reasoning": ("vsibench", "videommmu", "mmvu:multiple-choice", "videoholmes"),
})  # fmt: skip
"""Selections by the name of the suite; the only place where a suite is defined."""


def expand_suites(selections: Iterable[str]) -> tuple[str, ...]:
    """Return task selections with the tasks of each suite in its place.

    A task that a suite names once more is kept where it is first. Other repetitions stay, so that
    they can be refused.
    """
    found: list[str] = []
    of_suites: set[str] = set()
    for selection in selections:
        named = SUITES.get(selection)
        if named is None:
            if selection not in of_suites:
                found.append(selection)
            continue
        of_suites.update(named)
        found += [one for one in named if one not in found]
    return tuple(found)
