"""TempCompass's official matching rules: is a response right, wrong, or unreadable for a rule?

Source: llyx97/TempCompass@e1b4631, ``eval_multi-choice.py``, ``eval_yes_no.py`` and
``eval_caption_matching.py``, reimplemented. The rules are strict: ``(A)``, ``a`` and ``Answer: A``
match nothing. One is loose: any text that begins with ``no`` means no, ``Not sure`` too. If nothing
matches, the official scripts ask a language model or, with ``--disable_llm``, rate the response 0;
without a judge we do the latter, with the outcome NO_ANSWER.

Captioning has a judge and no rule. Without the judge a caption is left out of the mean and counted
as dropped: the mean is that of the other three tasks.
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
"""The publisher's task names, which are also file names."""

QUESTION = "question"
ANSWER = "answer"
MC_QUESTION = "mc_question"
"""On captioning items: the first multiple-choice question about the same aspect of the video."""
MC_ANSWER = "mc_answer"

_CHOICE = re.compile(r"([A-D])(?:[.)]|\Z)")


def task_of(sample: Sample) -> str:
    """Return the publisher's task of a sample."""
    return sample.category.split("/")[0]


def cleaned(text: str) -> str:
    """Return a response as the official scripts clean it."""
    return text.replace("</s>", "").strip()


def score_official(sample: Sample, text: str) -> Score:
    """Score a response by the official rules alone, as with ``--disable_llm``."""
    reply, gold, task = cleaned(text), sample.source[ANSWER], task_of(sample)
    if task == CAPTIONING:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    if task == CAPTION_MATCHING:
        found = read_caption(reply, sample.source[QUESTION].split("\n")[1:])
    elif task == YES_NO:
        found = read_yes_no(reply)
    else:
        found, gold = read_choice(reply), gold[0]
    return binary_score(None if found is None else found == gold, found)


def read_choice(reply: str) -> str | None:
    """Return the letter that a response consists of, or begins with if ``.`` or ``)`` follows.

    This includes the official comparison with the full answer, because answers begin with ``A.``.
    """
    found = _CHOICE.match(reply)
    return found.group(1) if found else None


def read_yes_no(reply: str) -> str | None:
    """Return ``yes`` or ``no`` if the reply begins with it in any case, else None."""
    reply = reply.lower()
    return next((word for word in ("yes", "no") if reply.startswith(word)), None)


def read_caption(reply: str, lines: Sequence[str]) -> str | None:
    """Return the first option line that a reply names exactly, None if there is none."""
    return next((line for line in lines if _names(reply, line)), None)


def _names(reply: str, line: str) -> bool:
    """Return whether a reply is an option line, its sentence, label or the label's last word."""
    label, sentence = line.split(": ")[:2]
    labels = (label, label.split()[-1])
    return (
        reply in (line, sentence, *labels)
        or reply.replace(".", "") in labels
        or (") " in reply and reply.split(") ")[1] == sentence)
    )
