"""The way into TRL's computation of log-probabilities for what rows show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainer.loops import batches, forward
from trainer.loops.inputs import PromptInputs

if TYPE_CHECKING:
    import torch


class Seeing:
    """Stands in for the model where TRL computes log-probabilities, and adds what rows show.

    TRL goes through a batch in chunks from the front, and so do the rows.
    """

    def __init__(
        self, model: Any, rows: Sequence[PromptInputs], vision_ids: dict[str, int], *, kept: int
    ) -> None:
        self._model = model
        self._rows = list(rows)
        self._vision_ids = vision_ids
        self._kept = kept

    def __call__(self, *, input_ids: torch.Tensor, labels: torch.Tensor, **inputs: Any) -> Any:
        """Take the next rows and call the model with what they show."""
        rows, self._rows = self._rows[: len(input_ids)], self._rows[len(input_ids) :]
        return self._model(
            **inputs,
            input_ids=input_ids,
            mm_token_type_ids=batches.token_types(input_ids, self._vision_ids),
            **batches.media_tensors(rows, device=input_ids.device),
            labels=labels[:, -self._kept :],
            **{forward.KEPT: self._kept},
        )
