"""Compute the rewards of completions: pure functions of texts and numbers, without torch.

Answers are read and numbers compared by the harness's own functions, so that reward and score
agree. Where the paper's reward differs from its evaluation on purpose there is a function of its
own here, and `trainer.rewards.reward_vs_score` lists the difference. Rewards for the order of
frames are in `trainer.rewards.temporal`.

Source: github.com/tulerfeng/Video-R1 at 59d65c3, ``src/r1-v/src/open_r1/grpo.py`` and
``src/r1-v/src/open_r1/trainer/grpo_trainer.py``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.plugins import importing
from harness.schema import Kind, Sample
from harness.scoring.answers import (
    answer_tag,
    number,
)
from harness.scoring.metrics import numerical_match
from trainer.rewards.spans import temporal_iou

if TYPE_CHECKING:
    from trainer.config.rl_sections import RewardSettings


def accuracy(sample: Sample, text: str) -> float:
    """Return the accuracy reward of a completion, 0 to 1, by the problem type of the sample.

    The answer is the content of the first ``<answer>`` pair. Without one, or with an empty one, the
    reward is 0, whereas the paper's evaluation reads the whole text as the answer.
    """
    answer = answer_tag(text) or ""
    match sample.kind:
        case Kind.MULTIPLE_CHOICE:
            return float(answer == sample.answer)
        case Kind.NUMERICAL:
            return float(numerical_match(answer, sample.answer) or False)
        case Kind.REGRESSION:
            value, target = number(answer), number(sample.answer)
            if value is None or target is None:
                return 0.0
            return relative_closeness(value, target)
        case Kind.SPAN:
            return temporal_iou(sample, text)
        case Kind.OCR:
            return word_accuracy(answer, sample.answer)
        case Kind.FREE_FORM:
            return mean_rouge(answer, sample.answer)


def format_reward(text: str) -> float:
    r"""Return 1 where the text is ``<think>...</think>``, white space, ``<answer>...</answer>``.

    Nothing may come before or after, not even a line break. The paper's code uses the regular
    expression ``<think>.*?</think>\s*<answer>.*?</answer>`` on the full text.
    """
    begins, ends = "<think>", "</answer>"
    if not (text.startswith(begins) and text.endswith(ends)):
        return 0.0
    return float(re.search(r"</think>\s*<answer>", text[len(begins) : -len(ends)]) is not None)


def length_bonus(
    accuracies: Sequence[float], lengths: Sequence[int], settings: RewardSettings
) -> list[float]:
    """Return 1 for each correct completion of a group whose length lies in the window, else 0.

    Args:
        accuracies: Accuracy reward of each completion, 0 to 1.
        lengths: Completion tokens, the end token included.
        settings: The window (``length_min`` to ``length_max`` tokens), ``tau``, and
            ``length_min_correct``, the correct completions that a group needs.
    """
    correct = [value > settings.tau for value in accuracies]
    enough = sum(correct) >= settings.length_min_correct
    return [
        float(enough and right and settings.length_min <= length <= settings.length_max)
        for right, length in zip(correct, lengths, strict=True)
    ]


def relative_closeness(predicted: float, target: float) -> float:
    """Return one minus the relative error, not below 0: the paper's regression reward.

    The paper's evaluation uses mean relative accuracy instead, which is 0 from 50 % error on.
    """
    return 1.0 - min(1.0, (abs(predicted - target) + 1e-9) / (abs(target) + 1e-9))


def require(kinds: Collection[Kind]) -> None:
    """Raise `UsageError` if a package for the rewards of some problem types is not installed."""
    if Kind.OCR in kinds:
        _levenshtein()
    if Kind.FREE_FORM in kinds:
        _rouge()


def word_accuracy(predicted: str, target: str) -> float:
    """Return one minus the word error rate, not below 0: the paper's OCR reward.

    Words are separated by white space; case and punctuation count.
    """
    words = target.split()
    errors: int = _levenshtein().distance(predicted.split(), words)
    return max(0.0, 1.0 - errors / max(1, len(words)))


def mean_rouge(predicted: str, target: str) -> float:
    """Return the mean F1 of ROUGE-1, -2 and -L with stemming: the paper's free-form reward."""
    scores = _rouge().score(target, predicted)
    return float(sum(score.fmeasure for score in scores.values()) / len(scores))


@cache
def _levenshtein() -> Any:
    with importing("rapidfuzz", "train"):
        from rapidfuzz.distance import Levenshtein
    return Levenshtein


@cache
def _rouge() -> Any:
    with importing("rouge_score", "train", "rouge-score"):
        from rouge_score.rouge_scorer import RougeScorer
    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
