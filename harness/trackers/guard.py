"""Keeps trackers from ending a command: their errors are counted, their output is dropped."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from harness.trackers.api import ItemTable, Tracker


class GuardedTrackers:
    """Any number of started trackers; a call goes to each of them, whatever the others raise."""

    def __init__(self) -> None:
        self._trackers: dict[str, Tracker] = {}
        self._errors: dict[str, list[str]] = {}
        self._calls: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Return whether any tracker is open."""
        return bool(self._trackers)

    def add(self, name: str, tracker: Tracker) -> None:
        """Add a started tracker."""
        self._trackers[name] = tracker

    def log_scores(self, scores: Mapping[str, float], step: int = 0) -> None:
        """Send numbers to every tracker."""
        self._call_each(lambda tracker: tracker.log_scores(scores, step))

    def log_table(self, table: ItemTable, step: int = 0) -> None:
        """Send a table to every tracker."""
        self._call_each(lambda tracker: tracker.log_table(table, step))

    def close(self, *, failed: bool) -> None:
        """End the run in every tracker."""
        self._call_each(lambda tracker: tracker.close(failed=failed))
        self._trackers.clear()

    @property
    def problems(self) -> list[str]:
        """One line per tracker that raised: how often, and the first reason."""
        return [
            f"{name}: {len(errors)} of {self._calls[name]} reports failed: {errors[0]}; the"
            " results in the run directory are complete"
            for name, errors in self._errors.items()
        ]

    def _call_each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in self._trackers.items():
            self._calls[name] = self._calls.get(name, 0) + 1
            try:
                with quiet():
                    call(tracker)
            except Exception as error:  # noqa: BLE001 - another package's code: told, never fatal
                self._errors.setdefault(name, []).append(describe_error(error))


def describe_error(error: Exception) -> str:
    """Return the class of an error and the first line of its text."""
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first.strip()[:200]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what other packages print, warn and log; a command's own lines stay the only ones."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
