"""Apply linear layers to few rows at a time, many times over with the same weights.

On a CPU a product with eight rows takes as long as reading the weights, and torch's own float32
product reads them in an order that takes two to three times as long as oneDNN's. Putting them in
that order costs a copy, which several hundred tokens of a batch pay for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Linear = Callable[[torch.Tensor], torch.Tensor]


def join(modules: Sequence[torch.nn.Module], *, rows: int) -> Linear:
    """Return a function that applies modules side by side and joins their outputs.

    Args:
        modules: Linear layers with equally many inputs, or what stands in for them: with an
            adapter, in four bits.
        rows: Rows of most calls.

    Returns:
        A function from shape (rows, inputs) to (rows, outputs of all modules). It has copies of
        the weights where `is_packable` says so, and calls the modules elsewhere.
    """
    linears = [one for one in modules if is_packable(one)]
    if len(linears) == len(modules):
        return _packed(linears, rows)
    if len(modules) == 1:
        alone: Linear = modules[0]
        return alone
    return lambda states: torch.cat([module(states) for module in modules], dim=-1)


def is_packable(module: torch.nn.Module) -> bool:
    """Return whether a module is a plain linear layer in float32 on a CPU, and used as one."""
    return (
        type(module) is torch.nn.Linear
        and module.weight.device.type == "cpu"
        and module.weight.dtype is torch.float32
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def _packed(linears: Sequence[torch.nn.Linear], rows: int) -> Linear:
    weights = torch.cat([one.weight.detach() for one in linears])
    packed = torch.ops.mkldnn._reorder_linear_weight(weights, rows)
    bias = None
    if any(one.bias is not None for one in linears):
        biases = [one.weight.new_zeros(len(one.weight)) if one.bias is None else one.bias
                  for one in linears]  # fmt: skip
        bias = torch.cat([one.detach() for one in biases])
    product = torch.ops.mkldnn._linear_pointwise
    return lambda states: product(states, packed, bias, "none", [], "")
