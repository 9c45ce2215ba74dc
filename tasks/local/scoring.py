"""Scores the answers to a table's questions."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness.plugins import importing
from harness.schema import Kind, Sample, Score
from harness.scoring.answers import answer_or_text
from harness.scoring.flexible import score as flexible
from harness.scoring.reasoning.split import split
from harness.scoring.rules import ScoreRule, binary_score, partial_score
from tasks.local.settings import TextRule

_ENDS = " \t\n.,;:!?\"'`*()[]"


def table_rule(text_rule: TextRule) -> ScoreRule:
    """Return the rule for all kinds: those of ``flexible``, and one for free text."""
    compare = _rouge_l if text_rule is TextRule.ROUGE else _equal

    def score(sample: Sample, text: str) -> Score:
        if sample.kind is not Kind.FREE_FORM:
            return flexible.score_flexible(sample, text)
        answer = answer_or_text(split(text).answer)
        return partial_score(compare(answer, sample.answer), answer) if answer else _NOTHING

    return score


_NOTHING = binary_score(None, None)


def require_rouge() -> None:
    """Raise `UsageError` if the package that computes ROUGE is not installed."""
    _rouge()


def _equal(answer: str, gold: str) -> float:
    """Return 1 where two texts differ in case, spaces and punctuation at the ends at most."""
    return float(_plain(answer) == _plain(gold))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(_ENDS)


def _rouge_l(answer: str, gold: str) -> float:
    value: float = _rouge().score(gold, answer)["rougeL"].fmeasure
    return value


@cache
def _rouge() -> Any:
    with importing("rouge_score", None, "rouge-score"):
        from rouge_score.rouge_scorer import RougeScorer
    return RougeScorer(["rougeL"], use_stemmer=True)
