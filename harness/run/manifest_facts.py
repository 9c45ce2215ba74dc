"""Reads from a ``run.json`` what a comparison has to say: partial tasks, engine settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.files import diff

QUESTIONS = "questions"
"""Manifest field: how many questions each benchmark has; runs of schema 1 lack it."""


def partial_tasks(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the tasks of which a run asks only a part, with ``4 of 128 questions``."""
    known: Mapping[str, int] = manifest.get(QUESTIONS) or {}
    asked = {task: data["items"] for task, data in manifest["data"].items()}
    return {
        task: f"{items:,} of {known[task]:,} questions"
        for task, items in asked.items()
        if items < known.get(task, 0)
    }


def numeric_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """List the engine settings in which two runs differ, as ``dtype: None != 'float16'``."""
    return diff(ours, theirs)
