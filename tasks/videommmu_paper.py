"""Turns VideoMMMU's questions into those of Video-R1's own evaluation file.

Source: ``eval_videommmu.json`` in the format of Video-R1/Video-R1-eval, read from a public copy
(qizhongtan/Video-ToC@bbf9451 ``Evaluation``); all 900 prompts and answers are equal. It differs
from the published questions in this:

- ``<image 1>`` and spaces around the question are removed.
- Options that were published with their letters get a second one: ``A. A. (Q*, Pmin, P1)``.
- The two open questions whose answer is a letter (Physics_21, Basic_Medical_Science_10) are
  multiple choice with four empty options, and the malformed answer of Math_15 is a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.schema import Kind, Sample
from harness.scoring.answers import letters
from harness.scoring.prompts import lettered
from tasks.videommmu_answers import LETTERED

EMPTY_OPTIONS = "video_r1_empty_options"
"""Key in a sample's source: how many empty options Video-R1 offers to an open question."""
NUMBER = "video_r1_answer"
"""Key in a sample's source: the number that Video-R1 has in place of a malformed answer."""

_IMAGE = "<image 1>"
_EMPTY = 4
_NUMBERS: Mapping[str, str] = {"['24/7', '3.429', '3.43]": "3.429"}


def paper_marks(options: Sequence[str], answer: str) -> dict[str, str]:
    """Return what a sample's source has to say about a question that Video-R1 asks otherwise."""
    if options:
        return {}
    if answer in letters(_EMPTY):
        return {EMPTY_OPTIONS: str(_EMPTY)}
    return {NUMBER: _NUMBERS[answer]} if answer in _NUMBERS else {}


def as_in_paper(sample: Sample) -> Sample:
    """Return a question as Video-R1 asks and scores it."""
    question = sample.question.replace(_IMAGE, "").strip()
    source = sample.source
    if NUMBER in source:
        return dataclasses.replace(
            sample, question=question, kind=Kind.NUMERICAL, answer=source[NUMBER]
        )
    if EMPTY_OPTIONS in source:
        empty = ("",) * int(source[EMPTY_OPTIONS])
        return dataclasses.replace(
            sample, question=question, kind=Kind.MULTIPLE_CHOICE, options=empty
        )
    options = tuple(lettered(sample.options)) if LETTERED in source else sample.options
    return dataclasses.replace(sample, question=question, options=options)
