"""The optional LLM judge: a model behind an OpenAI-compatible server that rates responses.

What a publisher asks its judge, with which sampling settings, and how a verdict is read is a
`Rubric` (`tasks.tempcompass_judge`, `tasks.mmvu_judge`). Deliberate departures from the publishers:

- Any model can judge, since the publishers' own are retired one after the other. The scorer's name
  contains the model's name.
- If the judge cannot be reached, or its verdicts remain unreadable, `BackendError` is raised. The
  publishers' scripts rate such a response wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

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

JUDGE_PREFIX = "judge: "
"""First part of the answer of a score by the judge, so that records show who decided."""

ATTEMPTS = 11
"""Requests until a verdict can be read: one and ten retries, as both publishers make."""

LIMITS = Limits(timeout_s=120.0)
PAUSE_S = 30.0
"""Seconds for which a judge that could not be reached is not asked again: each attempt takes a
quarter of a minute, and thousands of responses may wait."""

Messages = Sequence[Mapping[str, str]]


class Rubric(Protocol):
    """What a benchmark asks its judge, and how it reads the verdict."""

    settings: Mapping[str, Any]
    """The sampling settings of a request."""

    def messages(self, sample: Sample, text: str) -> Messages:
        """Return the chat messages that ask for a verdict on a response."""

    def read(self, sample: Sample, verdict: str) -> bool | None:
        """Return whether a verdict says that the response is right; None if it is unreadable."""


class LLMJudge:
    """A judge model behind an OpenAI-compatible URL; called with a sample and a response.

    Args:
        base_url: The server's address, which ends in ``/v1``.
        model: Name of the model on the server.
        rubric: What the benchmark asks.
        limits: Time, size and retries of one request.
    """

    def __init__(
        self, base_url: str, model: str, rubric: Rubric, *, limits: Limits = LIMITS
    ) -> None:
        self.base_url = hide_password(base_url)
        self.model = model
        self.rubric = rubric
        self._url = base_url
        self._limits = limits
        self._gone: tuple[BackendError, float] | None = None

    def __call__(self, sample: Sample, text: str) -> Score:
        """Rate one response; raise `BackendError` if there is no readable verdict."""
        messages, verdict = self.rubric.messages(sample, text), ""
        for _ in range(ATTEMPTS):
            verdict = self.ask(messages)
            correct = self.rubric.read(sample, verdict)
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

    def ask(self, messages: Messages) -> str:
        """Return one answer of the judge, with the rubric's sampling settings."""
        if self._gone is not None and time.monotonic() < self._gone[1]:
            raise self._gone[0]
        try:
            completion = self._client.complete(
                {
                    "model": self.model,
                    "messages": [dict(message) for message in messages],
                    **self.rubric.settings,
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
