"""Score responses with an lmms-eval task's own filters, ``process_results`` and aggregation.

A response passes through the same steps as on lmms-eval's command line: filters, removal of
reasoning tags, ``process_results``; the values of all responses pass through the task's
aggregation. Rules that draw at random are seeded by the document's index, so that a score does not
depend on the order of items.
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
"""The result of ``process_results``: by metric, a number or the input of its aggregation."""

AGGREGATION = Aggregation(name="lmms-eval", levels=lambda category: ())
"""The mean of item values; `tasks.lmms.task` computes the task's own number in addition."""

_SCORE = "score"


class OwnScoring:
    """The scoring of one loaded task.

    Some metrics are not numbers: they write a submission for an evaluation server to `folder`.
    """

    def __init__(self, task: Any, folder: Path) -> None:
        self._task = task
        self._args = Namespace(output_path=str(folder))
        self._aggregations: Mapping[str, Any] = task.aggregation()
        self.main: str = next(iter(self._aggregations))
        """The task's first metric, which is its score."""
        self._stops = stops_of(task.config.generation_kwargs)
        self._process = inspect.unwrap(type(task).process_results)  # without its retries

    def metrics(self, index: int, text: str) -> Metrics:
        """Score one response to the document with this index.

        Raises:
            Exception: Whatever the task's code raises, with `DatasetError` for `SystemExit`.
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
        """Return the value of one response, 0 to 1; None if the task has no such value.

        The value is the metric itself, or its entry that lmms-eval reads (``score_key``), or the
        aggregation of this response alone.
        """
        found = metrics.get(self.main)
        if isinstance(found, Mapping):
            found = found.get(self._task.config.score_key or _SCORE)
        number = _as_number(found)
        if number is None or not 0 <= number <= 1:
            number = _as_number(self.totals([metrics]).get(self.main))
        if number is None or not 0 <= number <= 100:
            return None
        return number if number <= 1 else number / 100

    def totals(self, scored: Sequence[Metrics]) -> dict[str, Any]:
        """Aggregate every metric of the responses, as lmms-eval does.

        A subset of the data can be too small for an aggregation: VSI-Bench's needs all three of its
        direction types. A metric that cannot be aggregated has the exception as its total.
        """
        totals: dict[str, Any] = {}
        for name, rule in self._aggregations.items():
            items = [metrics[name] for metrics in scored if name in metrics]
            known = {"args": self._args} if _takes_args(rule) else {}
            if items:
                try:
                    with contextlib.redirect_stdout(io.StringIO()), _seeded(0):
                        totals[name] = rule(items, **known)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a task's own code
                    totals[name] = error
        return totals

    def reply(self, index: int, text: str) -> str:
        """Return a response after stops, filters and the removal of reasoning tags."""
        replies: Any = [[cut(text, self._stops)]]
        document = self._task.eval_docs_no_media[index]
        for step in self._task._filters[0].filters:
            replies = list(step.apply(replies, [document]))
        first = replies[0]
        return visible(first if isinstance(first, str) else str(first[0]))


def score_of_total(total: Any, mean: float) -> float | None:
    """Return an aggregated number on the scale 0 to 1; None if it has another scale.

    Tasks report shares or percentages and do not say which. The reading closer to the items' mean
    is taken.
    """
    number = _as_number(total)
    if number is None:
        return None
    score = min(number, number / 100, key=lambda scaled: abs(scaled - mean))
    return score if 0 <= score <= 1 else None


def _as_number(found: Any) -> float | None:
    if isinstance(found, str) or not hasattr(found, "__float__"):
        return None
    number = float(found)
    return number if number == number else None


def _takes_args(rule: Any) -> bool:
    return "args" in inspect.signature(rule).parameters


@contextlib.contextmanager
def _seeded(index: int) -> Iterator[None]:
    """Seed Python's and NumPy's random generators; restore their states afterwards."""
    import numpy as np

    before, before_numpy = random.getstate(), np.random.get_state()
    random.seed(index)
    np.random.seed(index)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)
