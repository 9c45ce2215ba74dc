"""Reads what stands for a task on the command line: a name, or the file of a local benchmark.

``vsibench`` and ``vsibench:route_planning`` name installed tasks, ``./traffic.py``,
``./traffic.jsonl`` and ``./traffic.jsonl:rain`` a file that defines or holds one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.plugins import discover

TASK_FILES = "videor1.task_files"
"""Entry points that make a task of a file; the name is the file's suffix without its dot."""

CODE = "py"
"""The suffix of files that are code; they are run only where a user names them."""


@dataclass(frozen=True, slots=True)
class FileSelection:
    """The file of a local benchmark, and which part of its questions is asked."""

    path: Path
    config: str
    """A category; empty for all questions."""

    @property
    def suffix(self) -> str:
        """The suffix of the file without its dot, in small letters."""
        return self.path.suffix[1:].lower()


def file_of(selection: str) -> FileSelection | None:
    """Return the file that a selection names; None where it is the name of a task."""
    suffixes = tuple(discover(TASK_FILES))
    found = _pattern(suffixes).fullmatch(selection) if suffixes else None
    if found is None:
        return None
    return FileSelection(Path(found["path"]).expanduser(), found["config"] or "")


def stored_selection(selection: str, task: str) -> str:
    """Return a selection as a run keeps it: a file by the name of its task, without its place."""
    found = file_of(selection)
    if found is None:
        return selection
    return f"{task}:{found.config}" if found.config else task


def known_suffixes() -> str:
    """Return the suffixes of files that can be a task, for messages: ``.csv, .json, .py``."""
    return ", ".join(f".{suffix}" for suffix in sorted(discover(TASK_FILES)))


@cache
def _pattern(suffixes: Iterable[str]) -> re.Pattern[str]:
    ends = "|".join(map(re.escape, suffixes))
    return re.compile(rf"(?P<path>.+?\.(?:{ends}))(?::(?P<config>.*))?", re.IGNORECASE | re.DOTALL)
