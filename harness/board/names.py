"""Gives rows of a board the names that a user wants to read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.board.entry import Entry
from harness.errors import UsageError


def parse_names(texts: Sequence[str]) -> dict[str, str]:
    """Read ``RUN=Label`` texts; raise `UsageError` for one without a label."""
    names: dict[str, str] = {}
    for text in texts:
        run, equals, label = text.partition("=")
        if not (run and equals and label.strip()):
            raise UsageError(f"--name {text!r:.80}: expected RUN=LABEL")
        names[run] = label.strip()
    return names


def with_names(entries: Sequence[Entry], names: Mapping[str, str]) -> list[Entry]:
    """Return runs with their labels.

    Args:
        entries: Runs, not joined yet.
        names: Labels by run directory, name of a run directory, or name of a model.

    Raises:
        UsageError: A name fits no run.
    """
    labels: dict[int, str] = {}
    for run, label in names.items():
        found = [at for at, entry in enumerate(entries) if _is_meant(entry, run)]
        if not found:
            known = ", ".join(entry.folder.name for entry in entries[:10])
            raise UsageError(
                f"--name {run!r:.80}: no such run on this board; it has {known}. A run's folder,"
                " its name or its model's name can be given"
            )
        labels |= dict.fromkeys(found, label)
    return [replace(one, label=labels.get(at, one.label)) for at, one in enumerate(entries)]


def _is_meant(entry: Entry, run: str) -> bool:
    path = Path(run.rstrip("/"))
    return run in (entry.folder.name, entry.model) or path == entry.folder
