"""Reduce the hidden states of a forward pass to those that the LM head needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer.loops import shared_attention
from trainer.loops.shared_prompts import SharedPrompts

if TYPE_CHECKING:
    import torch

KEPT = "kept"
"""Extra argument: number of last columns whose hidden states are wanted."""
BLANK = "blank"
"""Extra argument: what `trainer.loops.blank_media.encode_blank` returned, or None."""


class WantedStates:
    """Hooks that reduce the hidden states of one forward pass to those that are wanted."""

    def __init__(self) -> None:
        self._kept: int | None = None
        self._row: SharedPrompts | None = None
        self._blank: torch.Tensor | None = None

    def take_argument(
        self, backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Remember what the model does not know and does not get, and the packed row."""
        kwargs = dict(kwargs)
        self._blank = kwargs.pop(BLANK, None)
        self._kept = kwargs.pop(KEPT, None)
        self._row = kwargs.get(shared_attention.NAME)
        return args, kwargs

    def select(self, backbone: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Keep the last columns, or what predicts completions; the next pass is whole again."""
        if self._row is not None:
            # Not by an index in brackets, whose gradient is summed in any order.
            places = self._row.predicting
            states = output.last_hidden_state[0].index_select(0, places.flatten())
            output.last_hidden_state = states.unflatten(0, places.shape)
        elif self._kept is not None:
            output.last_hidden_state = output.last_hidden_state[:, -self._kept :]
        if self._blank is not None:
            output.last_hidden_state = output.last_hidden_state + self._blank
        self._kept = self._row = self._blank = None
        return output
