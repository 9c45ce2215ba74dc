"""Joins runs of one checkpoint under one protocol that hold different tasks into one row.

Benchmarks are often evaluated one by one, in several jobs or on several machines. Whether one
process, replicas or servers answered makes no difference; other engine settings do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from harness.board.entry import Entry
from harness.board.same_protocol import same_protocol


def join_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return one entry per checkpoint and protocol, in the order of the first run of each.

    A run is added to the first one that it fits: the same checkpoint, engine and settings, the same
    protocol, and no task that is there already.
    """
    rows: list[Entry] = []
    for entry in entries:
        place = next((at for at, row in enumerate(rows) if _belongs_to(row, entry)), None)
        if place is None:
            rows.append(entry)
        else:
            rows[place] = _join(rows[place], entry)
    return rows


def _belongs_to(row: Entry, entry: Entry) -> bool:
    key = _checkpoint_key(entry.checkpoint)
    return (
        bool(key)
        and key == _checkpoint_key(row.checkpoint)
        and row.label == entry.label
        and row.backend == entry.backend
        and row.numeric == entry.numeric
        and not set(row.settings) & set(entry.settings)
        and same_protocol(row, entry)
    )


def _checkpoint_key(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what tells a checkpoint from others.

    A checkpoint that servers have loaded from a named place is the same on each of them.
    """
    if checkpoint.get("root"):
        return {name: value for name, value in checkpoint.items() if name != "server"}
    return checkpoint


def _join(row: Entry, entry: Entry) -> Entry:
    settings = {**row.settings, **entry.settings}
    return replace(
        row,
        joined=(*row.joined, entry.folder),
        homes={**row.homes, **dict.fromkeys(entry.settings, entry.folder)},
        protocol=_hash_of_all(settings),
        settings=settings,
        answers={**row.answers, **entry.answers},
        summaries={**row.summaries, **entry.summaries},
        partial={**row.partial, **entry.partial},
        local={**row.local, **entry.local},
    )


def _hash_of_all(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the hash that a run of all these tasks would have (`Plan.protocol_hash`)."""
    hashes = sorted(
        str(setting["protocol"]["hash"]) for task, setting in settings.items() if " [" not in task
    )
    return hashlib.sha256(",".join(hashes).encode()).hexdigest()[:12]
