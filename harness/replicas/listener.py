"""Defines what a driver tells: records, warnings, and how its replicas stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.replicas.fleet import Answered
from harness.replicas.standing import ReplicaState
from harness.schema import AnswerKey


class Listener(Protocol):
    """What a driver tells; called from the thread that drives."""

    def answered(self, name: str, answer: Answered) -> None:
        """Receive one finished item."""

    def failed(self, questions: Sequence[AnswerKey], reason: str) -> None:
        """Receive the questions of a video that was held at too many losses."""

    def begun(self) -> None:
        """Receive that a first replica answers."""

    def warn(self, message: str) -> None:
        """Receive what a person should know."""

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        """Receive how all replicas stand; four times a second at most."""

    def unproven(self, name: str, answers: Sequence[Answered]) -> None:
        """Receive answers without a text that came from a replica which had fallen silent."""
