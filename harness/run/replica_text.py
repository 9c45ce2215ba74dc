"""Writes how replicas stand: one clause for a log, a table for a terminal, lines for a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.replicas.standing import ReplicaState, Stage

if TYPE_CHECKING:
    from rich.table import Table

_ORDER = (Stage.ANSWERS, Stage.STARTS, Stage.WAITS, Stage.LOST, Stage.ENDED)
_VERB = {
    Stage.ANSWERS: "answering",
    Stage.STARTS: "starting",
    Stage.WAITS: "waiting for room",
    Stage.LOST: "lost",
    Stage.ENDED: "ended",
}


def replicas_clause(states: Sequence[ReplicaState]) -> str:
    """Return ``replicas: 7 answering, 1 lost``."""
    counts = Counter(state.stage for state in states)
    return "replicas: " + ", ".join(
        f"{counts[stage]} {_VERB[stage]}" for stage in _ORDER if counts[stage]
    )


def replica_lines(states: Sequence[ReplicaState]) -> list[str]:
    """Return one line per replica."""
    return [
        f"  {one.name}: {one.stage}, {one.items} items, {one.videos} videos,"
        f" {one.items_per_s:.1f} items/s, holds {one.held_items} items of"
        f" {one.held_videos} videos"
        for one in states
    ]


def replica_table(states: Sequence[ReplicaState], rows: int) -> Table:
    """Return a table of at most `rows` replicas, those that answer first; 80 columns wide."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    drawn.add_column("replica", overflow="fold", min_width=8)
    for heading in ("items", "videos", "items/s", "holds"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("", no_wrap=True)
    for one in sorted(states, key=lambda one: _ORDER.index(one.stage))[:rows]:
        drawn.add_row(
            Text(one.name),
            str(one.items),
            str(one.videos),
            f"{one.items_per_s:.1f}",
            f"{one.held_items} of {one.held_videos} videos" if one.held_videos else "-",
            Text(one.stage, style="red" if one.stage is Stage.LOST else "dim"),
        )
    return drawn


def account_text(states: Sequence[ReplicaState]) -> str:
    """Return how long replicas have answered and how evenly, and which were lost and why."""
    ended = [one for one in states if one.answer_s is not None and one.lost is None]
    sentences = []
    if ended:
        times = [one.answer_s or 0.0 for one in ended]
        spans = [time + (one.idle_s or 0.0) for time, one in zip(times, ended, strict=True)]
        shares = [time / span if span else 1.0 for time, span in zip(times, spans, strict=True)]
        sentences.append(
            f"{len(ended)} replicas answered for {min(times):.1f} to {max(times):.1f} s, on"
            f" average {100 * sum(shares) / len(shares):.0f} % of the time to the run's last answer"
        )
    sentences += [f"{one.name} was lost: {one.lost}" for one in states if one.lost is not None]
    return "; ".join(sentences)
