"""lmms-eval's own scoring of one of its tasks: filters, ``process_results`` and aggregation.

A reply passes through what its command line does to it: filters, removal of reasoning tags,
``process_results``; the values of all replies pass through the task's aggregation. A rule that
draws at random is seeded by the document, so that a score does not depend on the order of items.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from harness.task.api import Aggregation
from tasks.lmms.generation import cut, stops_of
from tasks.lmms.package import visible

Metrics = Mapping[str, Any]
"""What ``process_results`` returns: by metric a number, or whatever its aggregation takes."""

AGGREGATION = Aggregation(name="lmms-eval", levels=lambda category: ())
"""Item values are averaged; a task's own number is computed beside it, see `tasks.lmms.task`."""

_SCORE = "score"


class OwnScoring:
    """The scoring of one loaded task; files that it writes for a server of its own go to `folder`.

    Some tasks compute no number at all but a submission, named by their metric.
    """

    def __init__(self, task: Any, folder: Path) -> None:
        self._task = task
        self._args = Namespace(output_path=str(folder))
        self._aggregations: Mapping[str, Any] = task.aggregation()
        self.main: str = next(iter(self._aggregations))
        """The first metric of the task: its score."""
        self._stops = stops_of(task.config.generation_kwargs)
        self._process = inspect.unwrap(type(task).process_results)  # without its retries

    def metrics(self, index: int, text: str) -> Metrics:
        """Score one reply to the document of an index.

        Raises:
            Exception: Whatever the task's code raises; `SystemExit` comes as `DatasetError`.
        """
        reply = self.reply(index, text)
        full = {"full_docs": self._task.eval_docs} if self._task.config.full_docs else {}
        document = self._task.eval_docs_no_media[index]
        try:
            with _seeded(index):
                found: Metrics = self._process(self._task, document, [reply], **full)
        except SystemExit as error:
            raise DatasetError(f"its scoring ended the process: {error}") from error
        return found

    def value(self, metrics: Metrics) -> float | None:
        """Return what one reply is worth, 0 to 1; None where the task has no such value.

        That is the metric itself, or what lmms-eval takes for one (``score_key``), or else the
        aggregation of this reply alone.
        """
        found = metrics.get(self.main)
        if isinstance(found, Mapping):
            found = found.get(self._task.config.score_key or _SCORE)
        number = _number(found)
        if number is None or not 0 <= number <= 1:
            number = _number(self.totals([metrics]).get(self.main))
        if number is None or not 0 <= number <= 100:
            return None
        return number if number <= 1 else number / 100

    def totals(self, scored: Sequence[Metrics]) -> dict[str, Any]:
        """Aggregate every metric that the replies have, as lmms-eval does.

        A part of the data can be too little for an aggregation: VSI-Bench's needs all three of its
        direction types. What cannot be aggregated is an exception among the totals.
        """
        totals: dict[str, Any] = {}
        for name, rule in self._aggregations.items():
            items = [metrics[name] for metrics in scored if name in metrics]
            known = {"args": self._args} if _takes_args(rule) else {}
            if items:
                try:
                    with contextlib.redirect_stdout(io.StringIO()), _seeded(0):
                        totals[name] = rule(items, **known)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - code of tasks
                    totals[name] = error
        return totals

    def reply(self, index: int, text: str) -> str:
        """Return what is left of a text once stops, filters and reasoning tags took their part."""
        replies: Any = [[cut(text, self._stops)]]
        document = self._task.eval_docs_no_media[index]
        for step in self._task._filters[0].filters:
            replies = list(step.apply(replies, [document]))
        first = replies[0]
        return visible(first if isinstance(first, str) else str(first[0]))


def score_of_total(total: Any, mean: float) -> float | None:
    """Return an aggregated number on the scale of 0 to 1; None where it is on another.

    Tasks report shares or percentages without saying which. The one closer to the items' mean is
    meant.
    """
    number = _number(total)
    if number is None:
        return None
    score = min(number, number / 100, key=lambda scaled: abs(scaled - mean))
    return score if 0 <= score <= 1 else None


def _number(found: Any) -> float | None:
    if isinstance(found, str) or not hasattr(found, "__float__"):
        return None
    number = float(found)
    return number if number == number else None


def _takes_args(rule: Any) -> bool:
    return "args" in inspect.signature(rule).parameters


@contextlib.contextmanager
def _seeded(index: int) -> Iterator[None]:
    """Seed both generators that tasks draw from, and give them back as they were."""
    import numpy as np

    before, before_numpy = random.getstate(), np.random.get_state()
    random.seed(index)
    np.random.seed(index)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)
