"""Finds answers whose logits were not numbers, of which greedy decoding makes tokens silently."""

from __future__ import annotations

from typing import Any

from harness.errors import BackendError

NOT_FINITE = BackendError(
    "the model computed logits that are NaN or infinite, so its answer means nothing; its weights"
    " are damaged, or it overflows in this precision"
)
"""The failure of such an item."""


class LogitsWatch:
    """Notes in which rows of a batch a logit was NaN or +infinity at any step.

    It is called as a logits processor of transformers and changes nothing; -infinity is how other
    processors forbid a token.
    """

    def __init__(self) -> None:
        self._broken: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Look at the scores of one step, shape (rows, vocabulary); return them as they are."""
        broken = ~(scores < float("inf")).all(dim=-1)
        self._broken = broken if self._broken is None else self._broken | broken
        return scores

    def broken_rows(self, rows: int) -> list[bool]:
        """Return for each row whether its answer means nothing."""
        if self._broken is None:
            return [False] * rows
        found: list[bool] = self._broken.tolist()
        return found
