"""How many replicas a cluster has room for, and how its processors are shared."""

import pytest

from harness.errors import UsageError
from harness.replicas.room import Node, count_replicas, share_processors


def test_all_replicas_take_every_gpu():
    """Two nodes of eight GPUs are four replicas of four."""
    assert count_replicas("all", 4, [Node(8, 64), Node(8, 64)]) == 4


def test_gpus_of_two_nodes_are_no_replica():
    """A replica of four does not fit on nodes of three, however many there are."""
    assert count_replicas("all", 2, [Node(3, 8), Node(3, 8)]) == 2
    with pytest.raises(UsageError, match=r"takes 4 GPUs of one node .* of 2 nodes has 3"):
        count_replicas("1", 4, [Node(3, 8), Node(3, 8)])


def test_all_without_a_gpu_asks_for_a_number():
    """There is nothing to count; a number is taken as it is."""
    with pytest.raises(UsageError, match="give a number of replicas"):
        count_replicas("all", 0, [Node(0, 8)])
    assert count_replicas("3", 0, [Node(0, 8)]) == 3


@pytest.mark.parametrize(
    ("count", "gpus", "nodes", "share"),
    [
        (8, 1, [Node(8, 64)], 8),
        (8, 1, [Node(4, 64), Node(4, 16)], 4),  # the smaller node sets it
        (2, 4, [Node(8, 200)], 16),  # more would wait for the engine
        (1, 1, [Node(1, 2), Node(0, 64)], 2),  # a node without a GPU does not count
        (2, 0, [Node(0, 3), Node(0, 1), Node(0, 1)], 1),  # 2 each would leave one without a place
        (2, 0, [Node(0, 1)], 1 / 2),
        (16, 1, [Node(8, 32)], 4),  # eight fit and the others wait
        (2, 0, [Node(0, 0)], 0),
    ],
)
def test_processors_are_shared_so_that_all_replicas_fit(count, gpus, nodes, share):
    """Worked by hand."""
    assert share_processors(count, gpus, nodes) == share
