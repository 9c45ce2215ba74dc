"""What an evaluation tells while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from harness.schema import Record

if TYPE_CHECKING:
    from harness.replicas.standing import ReplicaState
    from harness.run.plan import Plan


class RunObserver:
    """Receives the progress of an evaluation; this one shows nothing.

    Subclasses override what they want to show. `record` is called from the recording thread,
    `asked` from the one that feeds the engine, the others from the thread that evaluates.
    `harness.run.running.RunCounter` turns these calls into counts, speeds and running scores.
    """

    def begin(self, folder: Path, *, total: int, done: int) -> None:
        """Receive the number of items and how many an earlier invocation has finished."""

    def plan(self, plan: Plan, finished: Iterable[Record]) -> None:
        """Receive what is asked, and the finished items of earlier invocations."""

    def starting(self, backend: str) -> AbstractContextManager[object]:
        """Return a context that is held while the engine starts and videos are decoded."""
        return nullcontext()

    def answering(self) -> AbstractContextManager[object]:
        """Return a context that is held while items are answered."""
        return nullcontext()

    def asked(self) -> None:
        """Receive that the engine has taken one more question."""

    def record(self, record: Record) -> None:
        """Receive one finished item."""

    def of_run(self, run: str) -> RunObserver:
        """Return the observer of one of several runs that share an engine; this one by default.

        It is told of that run's plan and records; everything else comes to this observer.

        Args:
            run: Name of the run; empty where there is only one.
        """
        return self

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        """Receive how the replicas stand, where there are any; a few times a second."""

    def warn(self, message: str) -> None:
        """Receive a warning about the data."""
