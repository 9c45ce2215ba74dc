"""What an evaluation tells while it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from harness.schema import Record


class RunObserver:
    """Receives the progress of an evaluation; this one shows nothing.

    Subclasses override what they want to show. `record` is called from the recording thread, the
    others from the thread that evaluates.
    """

    def begin(self, folder: Path, *, total: int, done: int) -> None:
        """Receive the number of items and how many an earlier invocation has finished."""

    def starting(self, backend: str) -> AbstractContextManager[object]:
        """Return a context that is held while the engine starts and videos are decoded."""
        return nullcontext()

    def answering(self) -> AbstractContextManager[object]:
        """Return a context that is held while items are answered."""
        return nullcontext()

    def record(self, record: Record) -> None:
        """Receive one finished item."""

    def warn(self, message: str) -> None:
        """Receive a warning about the data."""
