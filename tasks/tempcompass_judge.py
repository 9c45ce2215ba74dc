"""What TempCompass asks its judge: the rubric for responses that no rule matches.

Source: llyx97/TempCompass@e1b4631 (``utils/eval_utils.py``, ``eval_captioning.py``,
``prompt_templates.py``). The sampling settings, the system prompt, the prompts that ask whether an
answer is correct, and the parsing of verdicts are the official ones. Deliberate departures, beside
those of `tasks.judge`:

- The captioning prompt has our own wording and no worked examples. This is another reason why
  scores with a judge are never named ``official`` alone.
- The official scripts rate a response without a readable verdict 0 (a caption -1) and include it in
  the sum.
- The official temperature is 1, so that the same response can get another verdict the next time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.schema import Sample
from tasks.judge import Messages
from tasks.tempcompass_rules import (
    ANSWER,
    CAPTION_MATCHING,
    CAPTIONING,
    MC_ANSWER,
    MC_QUESTION,
    MULTI_CHOICE,
    QUESTION,
    YES_NO,
    cleaned,
    task_of,
)

SYSTEM = "You are an AI assistant for question answering."

_KIND = {
    MULTI_CHOICE: "multi-choice",
    YES_NO: "Yes/No",
    CAPTION_MATCHING: "caption matching",
}
_LABEL = {
    MULTI_CHOICE: "Multi-Choice Question",
    YES_NO: "Yes/No Question",
    CAPTION_MATCHING: "Caption Matching Question",
}

_VERDICT_PROMPT = """
You will receive a {kind} question, the ground-truth answer and the prediction from a question \
answering (QA) model. Your task is to determine whether QA model prediction is correct, based on \
the question and ground-truth answer. If the prediction is correct, respond "Correct". If the \
prediction is incorrect, respond "Incorrect".

{label}:
{question}
Ground-Truth Answer: {answer}
Model Prediction: {reply}"""

_CAPTION_PROMPT = """\
Below are a description of a video and a multi-choice question about that video. Answer the \
question from the description alone: pick the one option that the description states, and copy it \
with its letter. If the description fits no option, fits several, or does not say enough, answer \
"None of the choices are correct".
Reply with exactly two lines:
Reasoning: one short sentence
Answer: your answer

Video Description: {reply}
Multi-Choice Question:
{question}
"""


class TempCompassRubric:
    """The official questions to the judge: a `tasks.judge.Rubric`."""

    settings: Mapping[str, Any] = MappingProxyType(
        {"temperature": 1.0, "top_p": 1, "presence_penalty": 1, "max_tokens": 128}
    )

    def messages(self, sample: Sample, text: str) -> Messages:
        """Return the official system text and the prompt for the kind of question."""
        return (
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": judge_prompt(sample, text)},
        )

    def read(self, sample: Sample, verdict: str) -> bool | None:
        """Return whether a verdict says correct; None if it cannot be read."""
        return read_verdict(sample, verdict)


def judge_prompt(sample: Sample, text: str) -> str:
    """Return the prompt for the judge.

    It asks whether an answer is correct; for a caption, which option the caption states.
    """
    task, reply, source = task_of(sample), cleaned(text), sample.source
    if task == CAPTIONING:
        return _CAPTION_PROMPT.format(reply=reply, question=source[MC_QUESTION])
    return _VERDICT_PROMPT.format(
        kind=_KIND[task],
        label=_LABEL[task],
        question=source[QUESTION],
        answer=source[ANSWER],
        reply=reply,
    )


def read_verdict(sample: Sample, verdict: str) -> bool | None:
    """Return whether a verdict says correct; None if it cannot be read."""
    if task_of(sample) == CAPTIONING:
        return read_caption_verdict(verdict, sample.source[MC_ANSWER])
    if verdict.startswith("Correct"):
        return True
    if "Incorrect" in verdict:
        return False
    return True if "Correct" in verdict else None


def read_caption_verdict(verdict: str, gold: str) -> bool | None:
    """Return whether the judge chose the gold option for a caption; None if the verdict is empty.

    The last line with the word ``Answer`` is read, or the whole verdict if there is none. A line
    that names two options is wrong.
    """
    if not verdict:
        return None
    lines = [line for line in verdict.split("\n") if "Answer" in line]
    answer = lines[-1].strip().replace("Answer:", "").strip() if lines else verdict
    named = sum(answer.count(f"{letter}.") for letter in "ABCD")
    return named == 1 and answer.split(". ")[0] == gold.split(". ")[0]
