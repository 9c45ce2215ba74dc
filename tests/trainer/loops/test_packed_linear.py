"""Joined linear layers give what the layers give, from copies of weights or by calling them."""

from __future__ import annotations

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from torch.nn import Linear

from trainer.loops.packed_linear import is_packable, join

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("rows", [1, 3, 8, 33])
@pytest.mark.parametrize("biases", [(True, True, True), (False,), (True, False)])
@pytest.mark.parametrize("inputs", [7, 64, 384])
def test_outputs_stand_side_by_side(rows, biases, inputs):
    torch.manual_seed(0)
    layers = [Linear(inputs, 5 * at + 8, bias=bias) for at, bias in enumerate(biases)]
    states = torch.randn(rows, inputs)
    with torch.no_grad():
        expected = torch.cat([layer(states) for layer in layers], dim=1)
        torch.testing.assert_close(join(layers, rows=8)(states), expected, atol=1e-5, rtol=1e-5)


def test_copies_are_of_float32_on_a_cpu_alone():
    """Other number formats and what is no plain linear layer are called as they are."""

    class Adapted(Linear):
        pass

    layer = Linear(4, 4)
    assert is_packable(layer)
    assert not is_packable(Linear(4, 4).bfloat16())
    assert not is_packable(Linear(4, 4, device="meta"))
    assert not is_packable(Adapted(4, 4))
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_packable(layer)
    other = Adapted(4, 4)
    assert join([other], rows=2) is other
    states = torch.randn(2, 4)
    with torch.no_grad():
        both = join([layer, other], rows=2)(states)
        torch.testing.assert_close(both, torch.cat([layer(states), other(states)], dim=1))


def test_copies_do_not_follow_the_weights():
    layer = Linear(4, 4, bias=False)
    joined, states = join([layer], rows=2), torch.randn(2, 4)
    with torch.no_grad():
        before = layer(states)
        layer.weight.zero_()
        torch.testing.assert_close(joined(states), before)
