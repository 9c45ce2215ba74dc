"""Says what a reader has to know about a run's scores, ranked or not."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.entry import Entry


def remarks_on(entry: Entry, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the tasks that a run asks only in part, and its engine settings where they differ."""
    partial = [f"{task}: only {part}" for task, part in entry.partial.items()]
    if all(other.numeric == entry.numeric for other in entries):
        return tuple(partial)
    settings = ", ".join(f"{name} {value!r}" for name, value in sorted(entry.numeric.items()))
    return (*partial, f"engine settings that differ between runs: {settings or 'the defaults'}")
