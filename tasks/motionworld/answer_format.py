"""Train the initial model to write answers in the right format, on text alone.

A model of random weights that has to learn the answer format and the use of images at once learns
the latter late or never. After this step it writes a rationale and an answer that it guesses; what
is left to learn is to use the images.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.motionworld.tokenizer import END_OF_TURN

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

Turns = tuple[str, str]
"""The user's turn and the assistant's."""

_STEPS, _BATCH, _WARM_UP, _LEARNING_RATE = 60, 64, 20, 1.5e-3


def shuffle_answers(turns: Sequence[Turns], rng: random.Random) -> list[Turns]:
    """Shuffle the answers among questions of one aspect, so that they carry no information."""
    answers = [answer for _, answer in turns]
    rng.shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(turns, answers, strict=True)]


def train_answer_format(
    model: Any, tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turns], seed: int
) -> None:
    """Train on the answers, with the questions as context; takes 15 seconds on one core."""
    import torch

    rows = [_encode(tokenizer, question, answer) for question, answer in turns]
    random.Random(seed).shuffle(rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.0)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / _WARM_UP, 1.0, _WARM_UP - 1)
    model.train()
    for step in range(_STEPS):
        batch = [rows[(step * _BATCH + offset) % len(rows)] for offset in range(_BATCH)]
        ids = _pad([ids for ids, _ in batch], tokenizer.pad_token_id)
        labels = _pad([labels for _, labels in batch], -100)
        loss = model(
            input_ids=ids, attention_mask=ids != tokenizer.pad_token_id, labels=labels
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warm_up.step()
        optimizer.zero_grad()
    model.eval()


def _encode(
    tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> tuple[list[int], list[int]]:
    """Return the token ids and labels of one conversation; the user's turn carries no loss."""
    prompt: list[int] = tokenizer(
        f"<|im_start|>user\n{question}{END_OF_TURN}\n<|im_start|>assistant\n"
    ).input_ids
    reply: list[int] = tokenizer(f"{answer}{END_OF_TURN}").input_ids
    return prompt + reply, [-100] * len(prompt) + reply


def _pad(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    import torch

    width = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
