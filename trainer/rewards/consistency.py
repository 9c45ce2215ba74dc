"""Compare what a thought concludes with what is answered: a metric, not a reward.

Video-R2 (arXiv 2511.23478) calls the share of completions whose answer follows from their thought
think-answer consistency and has a language model judge it. Here it is read by a rule, `RULE`: the
conclusion is what the scorer ``flexible`` reads in the whole thought, if the thought states it
(``The answer is B``, ``so it is the dog``), else what it reads in the last sentence. Where it reads
nothing, the completion is left out of the mean; the share that could be read is logged beside it.
"""

from __future__ import annotations

from harness.schema import Kind, Sample
from harness.scoring.answers import number
from harness.scoring.flexible.choices import read_choice
from harness.scoring.flexible.quantities import read_quantity
from harness.scoring.flexible.words import sentences
from harness.scoring.reasoning.split import split
from harness.scoring.spans import read_span

RULE = "stated-or-last-sentence"

_HINTS = frozenset({"first-letter", "single-letter", "yes-or-no", "lead", "telling-words"})
"""Rules for whole replies: in a thought, what they find may be an option that is weighed."""
_DECIMALS = 2
"""Numbers and times are equal where they agree after rounding, as for the scorer."""


def is_consistent(sample: Sample, text: str) -> bool | None:
    """Return whether the answer of a completion is what its thought concludes.

    None where the thought or the answer names nothing, and for OCR and free-form questions.
    """
    parts = split(text)
    if parts.thought is None:
        return None
    answer = _read(sample, parts.answer, whole=True)
    concluded = conclusion(sample, parts.thought)
    return None if answer is None or concluded is None else answer == concluded


def conclusion(sample: Sample, thought: str) -> object | None:
    """Return the option letter, number or span that a thought concludes; None: none is read."""
    found = _read(sample, thought, whole=False)
    if found is not None:
        return found
    said = sentences(thought)
    return _read(sample, said[-1].text, whole=True) if said else None


def _read(sample: Sample, text: str, *, whole: bool) -> object | None:
    """Read an answer in a text; unless it is a `whole` reply only where it is stated."""
    match sample.kind:
        case Kind.MULTIPLE_CHOICE:
            choice = read_choice(text, sample.options)
            stated = choice is not None and (whole or choice.rule not in _HINTS)
            return choice.letter if choice is not None and stated else None
        case Kind.NUMERICAL | Kind.REGRESSION:
            quantity = read_quantity(text, sample.question)
            value = number(text) if quantity is None else quantity.value
            return None if value is None else round(value, _DECIMALS)
        case Kind.SPAN:
            span = read_span(text)
            return None if span is None else tuple(round(time, _DECIMALS) for time in span)
        case _:
            return None
