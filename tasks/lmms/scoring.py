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
from typing import Any

from tasks.lmms.generation import cut, stops_of
from tasks.lmms.package import visible

Metrics = Mapping[str, Any]
"""What ``process_results`` returns: by metric a number, or whatever its aggregation takes."""

_SCORE = "score"


class OwnScoring:
    """The scoring of one loaded task."""

    def __init__(self, task: Any) -> None:
        self._task = task
        self._aggregations: Mapping[str, Any] = task.aggregation()
        self.main: str = next(iter(self._aggregations))
        """The first metric of the task: its score."""
        self._stops = stops_of(task.config.generation_kwargs)
        self._process = inspect.unwrap(type(task).process_results)  # without its retries

    def metrics(self, index: int, text: str) -> Metrics:
        """Score one reply to the document of an index."""
        reply = self._filtered(cut(text, self._stops), index)
        full = {"full_docs": self._task.eval_docs} if self._task.config.full_docs else {}
        with _seeded(index):
            found: Metrics = self._process(
                self._task, self._task.eval_docs_no_media[index], [reply], **full
            )
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
            with contextlib.suppress(Exception):  # an aggregation of one item may be undefined
                number = _number(self.totals([metrics]).get(self.main))
        if number is None or not 0 <= number <= 100:
            return None
        return number if number <= 1 else number / 100

    def totals(self, scored: Sequence[Metrics]) -> dict[str, Any]:
        """Aggregate every metric that the replies have, as lmms-eval does."""
        totals = {}
        for name, rule in self._aggregations.items():
            items = [metrics[name] for metrics in scored if name in metrics]
            if items:
                known = {"args": Namespace()} if _takes_args(rule) else {}
                with contextlib.redirect_stdout(io.StringIO()), _seeded(0):
                    totals[name] = rule(items, **known)
        return totals

    def _filtered(self, text: str, index: int) -> str:
        replies: Any = [[text]]
        document = self._task.eval_docs_no_media[index]
        for step in self._task._filters[0].filters:
            replies = list(step.apply(replies, [document]))
        reply = replies[0]
        return visible(reply if isinstance(reply, str) else str(reply[0]))


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
