"""Teaching an untaught model the form of answers, by text alone: it guesses, and sees nothing.

A model of random weights that learns form and sight at once learns sight late or never. One that
writes a rationale and an answer already has only what its eyes are for left to learn.
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
"""What is asked, and what is answered."""

_STEPS, _BATCH, _WARM_UP, _LEARNING_RATE = 60, 64, 20, 1.5e-3


def guesses(turns: Sequence[Turns], rng: random.Random) -> list[Turns]:
    """Deal the answers of like questions out anew, so that what is answered tells nothing."""
    answers = [answer for _, answer in turns]
    rng.shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(turns, answers, strict=True)]


def teach_form(
    model: Any, tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turns], seed: int
) -> None:
    """Train on the answers, with the questions as context; 15 seconds on one core."""
    import torch

    rows = [_encoded(tokenizer, question, answer) for question, answer in turns]
    random.Random(seed).shuffle(rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.0)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / _WARM_UP, 1.0, _WARM_UP - 1)
    model.train()
    for step in range(_STEPS):
        batch = [rows[(step * _BATCH + offset) % len(rows)] for offset in range(_BATCH)]
        ids = _padded([asked for asked, _ in batch], tokenizer.pad_token_id)
        labels = _padded([told for _, told in batch], -100)
        loss = model(
            input_ids=ids, attention_mask=ids != tokenizer.pad_token_id, labels=labels
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warm_up.step()
        optimizer.zero_grad()
    model.eval()


def _encoded(
    tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> tuple[list[int], list[int]]:
    """Return token ids and labels of one conversation; the user turn carries no loss."""
    asked: list[int] = tokenizer(
        f"<|im_start|>user\n{question}{END_OF_TURN}\n<|im_start|>assistant\n"
    ).input_ids
    told: list[int] = tokenizer(f"{answer}{END_OF_TURN}").input_ids
    return asked + told, [-100] * len(asked) + told


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    import torch

    width = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
