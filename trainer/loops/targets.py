"""Builds the target of a row of supervised fine-tuning: rationale, answer, end token."""

from __future__ import annotations

from typing import Any

from harness.errors import DatasetError
from trainer.data.rows import TrainingRow
from trainer.runs.failures import first_line


def target_text(row: TrainingRow) -> str:
    """Return the target text: the rationale, then the answer, joined as in the paper.

    Raises:
        DatasetError: The row has no rationale.
    """
    if not row.rationale or not row.rationale.strip():
        raise DatasetError(f"row {row.sample.id} has no rationale; SFT needs one in 'process'")
    rationale = row.rationale.strip()
    if not rationale.startswith("<think>"):
        rationale = f"<think>{rationale}</think>"
    return f"{rationale}\n{row.solution}"


def tokenize_target(tokenizer: Any, row: TrainingRow) -> list[int]:
    """Return the token ids of a row's target, with the end token.

    Raises:
        DatasetError: The row has no rationale, or the tokenizer does not take it; names the row.
    """
    try:
        ids = tokenizer(target_text(row), add_special_tokens=False)["input_ids"]
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"row {row.sample.id}: its target cannot be tokenized: {first_line(error)}"
        ) from error
    return [*ids, tokenizer.eos_token_id]
