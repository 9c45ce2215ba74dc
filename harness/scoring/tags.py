"""Reads and writes scorer tags: the names that stored scores carry.

``official@1`` is version 1 of the rule ``official``. In ``official+judge:MODEL@1`` a language model
reads the answers that the rule cannot match. A board names a task that was scored again with
another scorer ``TASK [SCORER]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from harness.errors import DatasetError

_JUDGE = "+judge:"
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerTag:
    """One scorer at one version, with the judge model that helped it."""

    rule: str
    """Name of the task's scorer, which also decides how item values are averaged."""
    version: int
    judge: str | None = None
    """Model name of the judge; None: the rule alone."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``RULE@VERSION`` or ``RULE+judge:MODEL@VERSION``; else raise `DatasetError`."""
        name, _, version = text.rpartition("@")
        rule, _, judge = name.partition(_JUDGE)
        if not rule or not version.isdecimal() or len(version) > _MOST_DIGITS:
            raise DatasetError(
                f"scorer tag {text!r:.80}: expected NAME@VERSION, such as official@1"
            )
        return cls(rule=rule, version=int(version), judge=judge or None)

    @property
    def name(self) -> str:
        """The tag without its version."""
        return self.rule if self.judge is None else judged_name(self.rule, self.judge)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def judged_name(rule: str, model: str) -> str:
    """Return the name of a rule that a judge model helps."""
    return f"{rule}{_JUDGE}{model}"


def column_name(task: str, scorer: str) -> str:
    """Return the board's name for a task that was scored again with `scorer`."""
    return f"{task} [{scorer}]"


def task_of_column(column: str) -> str:
    """Return the task of a board column, with or without a scorer behind it."""
    return column.partition(" [")[0]
