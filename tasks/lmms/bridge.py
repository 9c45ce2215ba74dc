"""The bridge ``lmms:``: any generate-type task of lmms-eval under its own name, and its scorers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.lmms.own_scoring import AGGREGATION

if TYPE_CHECKING:
    from harness.task.api import Aggregation, Scorer
    from tasks.lmms.task import LmmsTask


class LmmsEval:
    """A `harness.task.api.Bridge`; lmms-eval is imported when questions are loaded or scored."""

    title = "any generate-type task of lmms-eval, with its own prompts and scoring"
    aggregation = AGGREGATION

    def task(self, name: str, include_path: Path | None) -> LmmsTask:
        """Return the task of that name; its data set is loaded by `LmmsTask.load`."""
        from tasks.lmms.task import LmmsTask

        return LmmsTask(name, include_path)

    def scorer(self, task: str, aggregation: Aggregation) -> Scorer | None:
        """Return the scorer ``lmms-eval`` of one of our benchmarks, None for any other task."""
        from tasks.lmms.scorers import lmms_scorer

        return lmms_scorer(task, aggregation)
