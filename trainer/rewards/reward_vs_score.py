"""Where the accuracy reward differs from the evaluation's score on purpose: the one table.

Everywhere else the two are equal, which tests/trainer/rewards/test_reward_is_score.py tries on
thousands of generated completions. The sources are Video-R1's files at 59d65c3.
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
    """What `trainer.rewards.rewards.accuracy` does."""
    score: str
    """What `harness.scoring.rules.score_video_r1` does."""
    source: str


def _no_answer(sample: Sample, text: str) -> bool:
    return not answer_tag(text)


def _of_kind(kind: Kind) -> Callable[[Sample, str], bool]:
    return lambda sample, text: sample.kind is kind


DIFFERENCES = (
    Difference(
        name="no answer in tags",
        applies=_no_answer,
        reward="0: an answer has to be given in <answer> tags",
        score="reads the whole text as the answer",
        source="grpo.py extract_answer against eval_bench.py extract_answer and its fallback",
    ),
    Difference(
        name="regression",
        applies=_of_kind(Kind.REGRESSION),
        reward="one minus the relative error, so that every step nearer pays",
        score="mean relative accuracy, VSI-Bench's metric",
        source="grpo.py accuracy_reward against eval_bench.py mean_relative_accuracy",
    ),
    Difference(
        name="OCR",
        applies=_of_kind(Kind.OCR),
        reward="one minus the word error rate",
        score="0: no benchmark of the paper asks for a transcript",
        source="grpo.py wer against eval_bench.py reward_fn",
    ),
    Difference(
        name="free-form",
        applies=_of_kind(Kind.FREE_FORM),
        reward="mean F1 of ROUGE-1, -2 and -L, stemmed",
        score="0: no benchmark of the paper asks for free text",
        source="grpo.py compute_rouge_score against eval_bench.py reward_fn",
    ),
)


def differences(sample: Sample, text: str) -> list[Difference]:
    """Return the classes a completion belongs to; none: reward and score have to be equal."""
    return [difference for difference in DIFFERENCES if difference.applies(sample, text)]
