"""Finds layers and weights that a checkpoint lacks, from the names in its headers alone.

The layers of a model have the same weights, numbered: ``model.layers.7.mlp.up_proj.weight``. A
layer without a weight that its neighbours have lost it; so did a model with fewer layers than its
configuration says. What only the model's code knows is found by the engine.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

_NUMBERED = re.compile(r"(?P<stack>(?:.*?\.)?(?:layers|blocks|h))\.(?P<number>\d+)\.(?P<weight>.+)")
_VISION = re.compile(r"vis|image|video|audio|encoder")
_FEWEST = 8
"""Layers from which on one can be told to be incomplete: the few stages of a hierarchical vision
tower differ."""

Stack = Mapping[int, frozenset[str]]
"""The weights of each layer, by its number."""


def require_layers(folder: Path, names: Iterable[str], config: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` where layers or weights of layers are missing; names the first.

    Args:
        folder: The checkpoint.
        names: Names of its tensors.
        config: Its ``config.json``.
    """
    stacks = _find_stacks(names)
    absent = [name for stack, layers in stacks.items() for name in _find_absent(stack, layers)]
    if absent:
        raise CheckpointError(
            f"{folder} lacks {len(absent)} weights that its other layers have, first {absent[0]};"
            " fetch or save it again"
        )
    text = config.get("text_config")
    expected = {**config, **(text if isinstance(text, dict) else {})}.get("num_hidden_layers")
    counts = [max(layers) + 1 for stack, layers in stacks.items() if not _VISION.search(stack)]
    if counts and type(expected) is int and max(counts) < expected:
        raise CheckpointError(
            f"{folder} has {max(counts)} of the {expected} layers that its config.json says"
            " (num_hidden_layers); fetch or save it again"
        )


def _find_stacks(names: Iterable[str]) -> dict[str, Stack]:
    found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match and len(match["number"]) < 6:
            found[match["stack"]][int(match["number"])].add(match["weight"])
    return {
        stack: {number: frozenset(weights) for number, weights in layers.items()}
        for stack, layers in found.items()
    }


def _find_absent(stack: str, layers: Stack) -> Iterator[str]:
    """Yield the names that a stack of equal layers lacks.

    A stack is one of equal layers if more than half are equal and the others have a part of their
    weights. Layers of several kinds (experts, states) have weights of their own each.
    """
    usual, count = Counter(layers.values()).most_common(1)[0]
    if max(layers) + 1 < _FEWEST or 2 * count <= len(layers):
        return
    if all(weights <= usual for weights in layers.values()):
        for number in range(max(layers) + 1):
            for weight in sorted(usual - layers.get(number, frozenset())):
                yield f"{stack}.{number}.{weight}"
