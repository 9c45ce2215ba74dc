"""The Video-R1 scorer (the paper's evaluation rule) and what all scorers share.

Source: Video-R1 ``src/eval_bench.py`` (benchmarks.md §0.5). The value is the original's to the
last boundary case; the outcome says more than the original does: a text in which its rules can
read no answer is NO_ANSWER, still worth 0.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import (
    answer_or_text,
    answer_tag,
    letters,
    number,
)
from harness.scoring.metrics import (
    mean_relative_accuracy_strict,
    numerical_match,
)

ScoreRule = Callable[[Sample, str], Score]

_ANY_LETTER = letters(26)


def score_video_r1(sample: Sample, text: str) -> Score:
    """Score a text as Video-R1's evaluation does, by the kind of the question."""
    answer = answer_or_text(text)
    match sample.kind:
        case Kind.MULTIPLE_CHOICE:
            known = letters(len(sample.options)) or _ANY_LETTER
            return binary_score(answer == sample.answer if answer in known else None, answer)
        case Kind.NUMERICAL:
            return binary_score(numerical_match(answer, sample.answer), answer)
        case Kind.REGRESSION:
            value = number(answer)
            if value is None:
                return binary_score(None, answer)
            target = float(sample.answer.replace(",", ""))
            return partial_score(mean_relative_accuracy_strict(value, target), answer)
        case Kind.OCR | Kind.FREE_FORM:  # the paper's evaluation gives these no credit at all
            return binary_score(False, answer)


def after_answer_tag(rule: ScoreRule) -> ScoreRule:
    """Return `rule` applied to the content of ``<answer>``, to the whole text where there is none.

    Official rules give tagged reasoning next to nothing, so this variant exists under a name of
    its own and never replaces them.
    """

    def score(sample: Sample, text: str) -> Score:
        answer = answer_tag(text)
        return rule(sample, text if answer is None else answer)

    return score


def binary_score(correct: bool | None, answer: str | None) -> Score:
    """Build a right-or-wrong score; None means that the rule found no answer (worth 0)."""
    if correct is None:
        return Score(value=0.0, outcome=Outcome.NO_ANSWER, answer=None)
    outcome = Outcome.CORRECT if correct else Outcome.WRONG
    return Score(value=float(correct), outcome=outcome, answer=answer)


def partial_score(value: float, answer: str) -> Score:
    """Build a score between 0 and 1."""
    outcome = {0.0: Outcome.WRONG, 1.0: Outcome.CORRECT}.get(value, Outcome.PARTIAL)
    return Score(value=value, outcome=outcome, answer=answer)
