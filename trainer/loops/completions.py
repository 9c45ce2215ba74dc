"""The completions of a run in ``completions.jsonl``, one line per group.

A line holds the step, the question, the ordered answers with reward per column, weighted reward and
advantage, and the answers to the shuffled twin with their accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.loops.groups import Answer, Group


def group_line(
    group: Group,
    *,
    step: int,
    question: str,
    rewards: Sequence[Mapping[str, float]],
    totals: Sequence[float],
    advantages: Sequence[float],
) -> dict[str, Any]:
    """Describe one group; the sequences have one entry per ordered completion."""
    sample = group.sample
    ordered = [
        {**_answer(answer), "rewards": _known(columns), "reward": total, "advantage": advantage}
        for answer, columns, total, advantage in zip(
            group.ordered, rewards, totals, advantages, strict=False
        )
    ]
    shuffled = [
        {**_answer(answer), "rewards": {"accuracy": answer.accuracy}} for answer in group.shuffled
    ]
    return {
        "step": step,
        "id": sample.id,
        "kind": str(sample.kind),
        "question": question,
        "media": [str(media.path) for media in sample.media],
        "gold": sample.answer,
        "failure": group.failure,
        "ordered": ordered,
        "shuffled": shuffled,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "tokens": answer.tokens, "truncated": answer.truncated}


def _known(rewards: Mapping[str, float]) -> dict[str, float | None]:
    """Write a reward that does not apply as null."""
    return {name: None if math.isnan(value) else value for name, value in rewards.items()}
