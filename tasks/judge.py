"""The optional LLM judge for TempCompass: rates responses that no rule matches.

Source: llyx97/TempCompass@e1b4631 (``utils/eval_utils.py``, ``eval_captioning.py``,
``prompt_templates.py``). The sampling settings, the system prompt, the prompts that ask whether an
answer is correct, and the parsing of verdicts are the official ones. Deliberate departures:

- Any model behind an OpenAI-compatible server can judge, since the official gpt-3.5-turbo-1106 is
  retired. The scorer's name contains the model's name.
- The captioning prompt has our own wording and no worked examples. This is another reason why
  scores with a judge are never named ``official`` alone.
- If the judge cannot be reached, or its verdicts remain unreadable, `BackendError` is raised. The
  official scripts rate such an item 0 (a caption -1) and include it in the sum.
- The official temperature is 1, so that the same response can get another verdict the next time.
"""

from __future__ import annotations

import math
import time
from functools import cached_property

from harness.errors import BackendError
from harness.schema import Sample, Score
from harness.scoring.rules import binary_score
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import hide_password, read_endpoint
from harness.server.errors import (
    EmptyReplyError,
    KeyRefusedError,
    MalformedReplyError,
    ServerError,
    UnreachableServerError,
)
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

JUDGE_PREFIX = "judge: "
"""First part of the answer of a score by the judge, so that records show who decided."""

ATTEMPTS = 11
"""Requests until a verdict can be read: one and the official ten retries."""

LIMITS = Limits(timeout_s=120.0)
PAUSE_S = 30.0
"""Seconds for which a judge that could not be reached is not asked again: each attempt takes a
quarter of a minute, and thousands of responses may wait."""

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


class LLMJudge:
    """A judge model behind an OpenAI-compatible URL; called with a sample and a response.

    Args:
        base_url: The server's address, which ends in ``/v1``.
        model: Name of the model on the server.
        limits: Time, size and retries of one request.
    """

    def __init__(self, base_url: str, model: str, *, limits: Limits = LIMITS) -> None:
        self.base_url = hide_password(base_url)
        self.model = model
        self._url = base_url
        self._limits = limits
        self._gone: tuple[BackendError, float] | None = None

    def __call__(self, sample: Sample, text: str) -> Score:
        """Rate one response; raise `BackendError` if there is no readable verdict."""
        prompt, verdict = judge_prompt(sample, text), ""
        for _ in range(ATTEMPTS):
            verdict = self.ask(prompt)
            correct = read_verdict(sample, verdict)
            if correct is not None:
                return binary_score(correct, JUDGE_PREFIX + verdict)
        raise BackendError(
            f"{sample.id}: {self} gave no readable verdict in {ATTEMPTS} attempts;"
            f" the last one was {verdict!r:.80}"
        )

    def check(self) -> None:
        """Raise `UsageError` for an address that is none or an empty key; ask nothing."""
        read_endpoint(self._url)

    def __str__(self) -> str:
        return f"judge {self.model} at {self.base_url}"

    def ask(self, prompt: str) -> str:
        """Return one answer of the judge to a prompt, with the official sampling settings."""
        if self._gone is not None and time.monotonic() < self._gone[1]:
            raise self._gone[0]
        try:
            completion = self._client.complete(
                {
                    "model": self.model,
                    "messages": [
                        {"role": "system", "content": SYSTEM},
                        {"role": "user", "content": prompt},
                    ],
                    "temperature": 1.0,
                    "top_p": 1,
                    "presence_penalty": 1,
                    "max_tokens": 128,
                }
            )
        except EmptyReplyError:
            return ""
        except MalformedReplyError as error:
            raise BackendError(
                f"{self} is not an OpenAI-compatible server; check its URL, which ends in /v1:"
                f" {error}"
            ) from error
        except ServerError as error:
            failed = BackendError(
                f"{self} did not answer: {error}; check that the server runs and has this model"
            )
            if isinstance(error, KeyRefusedError):
                self._gone = failed, math.inf
            elif isinstance(error, UnreachableServerError):
                self._gone = failed, time.monotonic() + PAUSE_S
            raise failed from error
        return "" if completion.refused else completion.text.strip()

    @cached_property
    def _client(self) -> ServerClient:
        return ServerClient(read_endpoint(self._url), self._limits)


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
