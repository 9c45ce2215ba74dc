"""The simulation of intervals with repeats, with few draws."""

import pytest

from tests.bench.bench_repeats import SHAPES, coverage

pytestmark = pytest.mark.slow


def test_intervals_of_repeats_contain_the_truth_as_often_as_they_say():
    """Within what 200 draws can show; answers counted as independent do not."""
    found = coverage(SHAPES[0], 200)
    for name in ("avg@K", "pass@2", "majority@K", "changed"):
        assert 90 <= found[name] <= 99, name
    assert found["avg@K, answers as if independent"] < 80
