"""Runs what follows an answer (scoring, writing) beside the engine, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Self


class Recorder:
    """Runs jobs one after another on a thread of its own; a context manager.

    Leaving it waits until everything handed over is done, also after Ctrl-C, so that what an
    engine has finished is kept. The first error ends the work: it is raised by the next `put`, or
    on leaving.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def put(self, job: Callable[[], None]) -> None:
        """Queue a job; safe from any thread."""
        if self._error is not None:
            raise self._error
        self._jobs.put(job)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jobs.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised in the thread that puts
                self._error = error
                return
