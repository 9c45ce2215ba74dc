"""Computes how many replicas the nodes of a cluster have room for, and what each may take.

All GPUs of a replica are on one node: tensor parallelism needs their fast links.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.errors import UsageError

_MOST_PROCESSORS = 16
"""Decode processes of one replica at most, where nobody says how many."""
_SHARES: tuple[float, ...] = (
    *range(_MOST_PROCESSORS, 0, -1),
    1 / 2,
    1 / 4,
    1 / 8,
    1 / 16,
    1 / 32,
    1 / 64,
)


@dataclass(frozen=True, slots=True)
class Node:
    """What a node of a cluster has."""

    gpus: int
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one replica takes of a node."""

    gpus: int
    cpus: float
    """A part of one where replicas share a processor."""


def count_places(nodes: Iterable[Node], gpus: int) -> int:
    """Return how many replicas of so many GPUs fit."""
    return sum(node.gpus // gpus for node in nodes)


def count_replicas(wanted: str, gpus: int, nodes: Sequence[Node]) -> int:
    """Return the number of replicas; ``all`` is as many as there is room for.

    Args:
        wanted: A number or ``all``.
        gpus: GPUs of one replica; 0 where the engine has no use for one.
        nodes: The cluster.

    Raises:
        UsageError: There is no room for one, or ``all`` has nothing to count.
    """
    if gpus and not count_places(nodes, gpus):
        largest = max((node.gpus for node in nodes), default=0)
        raise UsageError(
            f"a replica takes {gpus} GPUs of one node (--tensor-parallel {gpus}), the largest of"
            f" {len(nodes)} nodes has {largest}; lower --tensor-parallel"
        )
    if wanted != "all":
        return int(wanted)
    if not gpus:
        raise UsageError(
            "--replicas all: it counts GPUs, and there is none that the engine would use; give a"
            " number of replicas"
        )
    return count_places(nodes, gpus)


def share_processors(count: int, gpus: int, nodes: Sequence[Node]) -> float:
    """Return the processors of each of `count` replicas: the most with which all of them fit.

    Where more replicas are wanted than the GPUs have room for, those that fit are counted. At most
    16, and parts of one where there are more replicas than processors.
    """
    places = [node.gpus // gpus if gpus else count for node in nodes]
    wanted = min(count, sum(places))
    for share in _SHARES:
        fit = sum(
            min(place, int(node.cpus / share)) for place, node in zip(places, nodes, strict=True)
        )
        if fit >= wanted:
            return share
    return 0.0
