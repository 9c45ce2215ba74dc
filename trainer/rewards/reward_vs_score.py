"""List the completions whose accuracy reward may differ from their evaluation score, with sources.

For all other completions the two are equal; tests/trainer/rewards/test_reward_is_score.py checks it
on thousands of generated ones. The sources are files of github.com/tulerfeng/Video-R1 at 59d65c3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.schema import Kind, Sample
from harness.scoring.answers import answer_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One class of completions on which reward and score may differ."""

    name: str
    applies: Callable[[Sample, str], bool]
    reward: str
    """What `trainer.rewards.rewards.accuracy` returns."""
    score: str
    """What `harness.scoring.rules.score_video_r1` returns."""
    source: str


def _has_no_answer(sample: Sample, text: str) -> bool:
    return not answer_tag(text)


def _has_kind(kind: Kind) -> Callable[[Sample, str], bool]:
    return lambda sample, text: sample.kind is kind


DIFFERENCES = (
    Difference(
        name="no answer in tags",
        applies=_has_no_answer,
        reward="0: an answer must be in <answer> tags",
        score="reads the whole text as the answer",
        source="grpo.py extract_answer against eval_bench.py extract_answer and its fallback",
    ),
    Difference(
        name="regression",
        applies=_has_kind(Kind.REGRESSION),
        reward="one minus the relative error, so that a smaller error always earns more",
        score="mean relative accuracy, VSI-Bench's metric",
        source="grpo.py accuracy_reward against eval_bench.py mean_relative_accuracy",
    ),
    Difference(
        name="OCR",
        applies=_has_kind(Kind.OCR),
        reward="one minus the word error rate",
        score="0: no benchmark of the paper has OCR questions",
        source="grpo.py wer against eval_bench.py reward_fn",
    ),
    Difference(
        name="free-form",
        applies=_has_kind(Kind.FREE_FORM),
        reward="mean F1 of ROUGE-1, -2 and -L, with stemming",
        score="0: no benchmark of the paper has free-form questions",
        source="grpo.py compute_rouge_score against eval_bench.py reward_fn",
    ),
)


def differences(sample: Sample, text: str) -> list[Difference]:
    """Return the differences that apply to a completion; none: reward and score are equal."""
    return [difference for difference in DIFFERENCES if difference.applies(sample, text)]
