"""Presence and frequency penalties for transformers, which has none, as vLLM defines them."""

from __future__ import annotations

from typing import Any

from harness.schema import Sampling


class AnswerPenalty:
    """Lowers the logits of tokens that an answer has already; a logits processor.

    Each occurrence costs `frequency`, the first one `presence` besides. Tokens of the prompt cost
    nothing (vLLM 0.32, ``SamplingParams``; OpenAI's chat completions API).
    """

    def __init__(self, presence: float, frequency: float, prompt_length: int) -> None:
        self._presence = presence
        self._frequency = frequency
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return the scores of one step, shape (rows, vocabulary), after the penalties."""
        import torch

        answer = input_ids[:, self._prompt_length :]
        counts = torch.zeros_like(scores).scatter_add_(
            1, answer, torch.ones_like(answer, dtype=scores.dtype)
        )
        return scores - self._frequency * counts - self._presence * (counts > 0)


def penalties(sampling: Sampling, prompt_length: int) -> list[AnswerPenalty]:
    """Return the logits processors that a sampling needs beside those of transformers.

    Args:
        sampling: How the engine decodes.
        prompt_length: Tokens of the padded prompt, which every row of the batch begins with.
    """
    presence, frequency = sampling.presence_penalty, sampling.frequency_penalty
    return [AnswerPenalty(presence, frequency, prompt_length)] if presence or frequency else []
