"""TempCompass's official matching rules: is a reply right, wrong, or none that a rule can read.

Source: llyx97/TempCompass@e1b4631, ``eval_multi-choice.py``, ``eval_yes_no.py`` and
``eval_caption_matching.py``, in our own words. They are strict (``(A)``, ``a`` and ``Answer: A``
match nothing) and in one place loose: any text that starts with ``no`` says no, ``Not sure`` too.
The official scripts hand a reply that matches nothing to a language model or, with
``--disable_llm``, rate it 0; without a judge we do the latter and call it NO_ANSWER.

Captioning has no rule, only the judge. Without one a caption is no failure of the model: the item
is dropped from the mean and counted as dropped, so that the mean is that of the other three tasks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.schema import Outcome, Sample, Score
from harness.scoring.rules import binary_score

MULTI_CHOICE = "multi-choice"
YES_NO = "yes_no"
CAPTION_MATCHING = "caption_matching"
CAPTIONING = "captioning"
TASKS = (MULTI_CHOICE, YES_NO, CAPTION_MATCHING, CAPTIONING)
"""The publisher's task names, which are their file names too."""

QUESTION = "question"
ANSWER = "answer"
MC_QUESTION = "mc_question"
"""Of a captioning item: the first multiple-choice question on the same aspect of the video."""
MC_ANSWER = "mc_answer"

_CHOICE = re.compile(r"([A-D])(?:[.)]|\Z)")


def task_of(sample: Sample) -> str:
    """Return the publisher's task that a sample belongs to."""
    return sample.category.split("/")[0]


def cleaned(text: str) -> str:
    """Return a reply as the official scripts read it."""
    return text.replace("</s>", "").strip()


def score_official(sample: Sample, text: str) -> Score:
    """Score a reply by the official rules alone, as the scripts do with ``--disable_llm``."""
    reply, gold, task = cleaned(text), sample.source[ANSWER], task_of(sample)
    if task == CAPTIONING:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    if task == CAPTION_MATCHING:
        said = read_caption(reply, sample.source[QUESTION].split("\n")[1:])
    elif task == YES_NO:
        said = read_yes_no(reply)
    else:
        said, gold = read_choice(reply), gold[0]
    return binary_score(None if said is None else said == gold, said)


def read_choice(reply: str) -> str | None:
    """Return the letter that a reply consists of, or begins with before ``.`` or ``)``.

    The official comparison with the full answer is contained in this: answers begin ``A.``.
    """
    found = _CHOICE.match(reply)
    return found.group(1) if found else None


def read_yes_no(reply: str) -> str | None:
    """Return what the first letters say, case ignored."""
    reply = reply.lower()
    return next((word for word in ("yes", "no") if reply.startswith(word)), None)


def read_caption(reply: str, lines: Sequence[str]) -> str | None:
    """Return the option line a reply names, letter by letter, a sentence's full stop included."""
    return next((line for line in lines if _names(reply, line)), None)


def _names(reply: str, line: str) -> bool:
    """Tell whether a reply is an option line, its sentence, its label or the label's last word."""
    label, sentence = line.split(": ")[:2]
    labels = (label, label.split()[-1])
    return (
        reply in (line, sentence, *labels)
        or reply.replace(".", "") in labels
        or (") " in reply and reply.split(") ")[1] == sentence)
    )
