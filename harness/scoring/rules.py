"""Scores texts by Video-R1's evaluation rules, and builds the scores of all scorers.

Source: ``src/eval_bench.py`` of tulerfeng/Video-R1@59d65c3 (docs/sources.md, "Video-R1's
evaluation"). Values equal the original's in every boundary case. The outcome says more: a text in
which the rules find no answer is NO_ANSWER, worth 0.
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
    temporal_iou,
)
from harness.scoring.spans import Span, parse_gold, read_span

ScoreRule = Callable[[Sample, str], Score]
"""A function of a sample and the text of its answer."""

_ANY_LETTER = letters(26)


def score_video_r1(sample: Sample, text: str) -> Score:
    """Score a text by Video-R1's rule for the kind of the question."""
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
        case Kind.SPAN:
            return score_span(sample, read_span(answer))
        case Kind.OCR | Kind.FREE_FORM:  # the paper's evaluation scores these 0
            return binary_score(False, answer)


def after_answer_tag(rule: ScoreRule) -> ScoreRule:
    """Return a rule that scores the content of ``<answer>``, or the whole text without the tag.

    Official rules hardly credit answers in tags after a reasoning. So this variant of a rule has a
    name of its own (``official+answer``) and never replaces the rule.
    """

    def score(sample: Sample, text: str) -> Score:
        answer = answer_tag(text)
        return rule(sample, text if answer is None else answer)

    return score


def binary_score(correct: bool | None, answer: str | None) -> Score:
    """Return a score of 0 or 1; `correct` is None if the rule found no answer, worth 0."""
    if correct is None:
        return Score(value=0.0, outcome=Outcome.NO_ANSWER, answer=None)
    outcome = Outcome.CORRECT if correct else Outcome.WRONG
    return Score(value=float(correct), outcome=outcome, answer=answer)


def score_span(sample: Sample, span: Span | None) -> Score:
    """Return the overlap of a span with the gold one; no span is no answer, worth 0."""
    if span is None:
        return binary_score(None, None)
    return partial_score(temporal_iou(span, parse_gold(sample.answer)), str(span))


def partial_score(value: float, answer: str) -> Score:
    """Return a score between 0 and 1 for partial credit."""
    outcome = {0.0: Outcome.WRONG, 1.0: Outcome.CORRECT}.get(value, Outcome.PARTIAL)
    return Score(value=value, outcome=outcome, answer=answer)
