"""The scorer ``flexible``: multiple choice and numbers, read from free text by named rules.

The gold answer takes no part in the reading. A reply in which no rule finds an answer, or that
names several, is NO_ANSWER; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import number
from harness.scoring.flexible.choices import read_choice
from harness.scoring.flexible.labels import with_letters
from harness.scoring.flexible.quantities import Quantity, read_quantity
from harness.scoring.metrics import mean_relative_accuracy
from harness.scoring.reasoning.split import split
from harness.scoring.rules import binary_score, partial_score, score_span
from harness.scoring.spans import read_span

NAME = "flexible"
VERSION = 1
READ_KINDS = (Kind.MULTIPLE_CHOICE, Kind.NUMERICAL, Kind.REGRESSION, Kind.SPAN)
"""Kinds of questions whose answers the rules read."""
BY_LETTER = frozenset({
    "answer-tag", "box-tokens", "boxed", "only-letter", "statement", "first-letter",
})  # fmt: skip
"""Rules that only a reply to a question with options meets."""
_ANY_OPTION = 26
"""Letters of a question whose options are not known."""
_DECIMALS = 2
"""Numbers are equal where they agree after rounding, as in Video-R1's and MMMU's rules."""


def score_flexible(sample: Sample, text: str, labels: Sequence[str] = ()) -> Score:
    """Score a reply by the option or number that a careful reader takes from it.

    Numbers of the kind REGRESSION get VSI-Bench's mean relative accuracy.

    Args:
        sample: A question of a kind in `READ_KINDS`.
        text: The reply; a thought that is still in it is not read.
        labels: What the options are called in the prompt, where these are no letters.

    Raises:
        ValueError: The question is of another kind.
    """
    text = split(text).answer
    match sample.kind:
        case Kind.MULTIPLE_CHOICE:
            shown = with_letters(text, labels)
            choice = read_choice(shown, sample.options, 0 if sample.options else _ANY_OPTION)
            if choice is None:
                return binary_score(None, None)
            scored = binary_score(choice.letter == sample.answer, choice.letter)
            return replace(scored, rule=choice.rule)
        case Kind.NUMERICAL | Kind.REGRESSION:
            quantity = read_quantity(text, sample.question)
            if quantity is None:
                return binary_score(None, None)
            return replace(_score_number(sample, quantity), rule=quantity.rule)
        case Kind.SPAN:
            return score_span(sample, read_span(text))
        case _:
            raise ValueError(f"{sample.id}: {NAME} reads no answers of the kind {sample.kind}")


def _score_number(sample: Sample, quantity: Quantity) -> Score:
    target, shown = number(sample.answer), f"{quantity.value:.12g}"
    if target is None:
        return Score(value=0.0, outcome=Outcome.WRONG, answer=shown)
    if sample.kind is Kind.REGRESSION and target != 0:
        return partial_score(mean_relative_accuracy(quantity.value, target), shown)
    return binary_score(round(quantity.value, _DECIMALS) == round(target, _DECIMALS), shown)
