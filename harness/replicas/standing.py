"""Defines what a driver knows of a replica, and what of it is shown while a run goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.replicas.canary import is_silent
from harness.replicas.fleet import Answered, Ended, Joined
from harness.replicas.leases import LeaseBook
from harness.schema import AnswerKey

_PATIENCE_S = 60.0
"""How long nobody wonders why a replica has not joined."""


class Stage(StrEnum):
    """What a replica does."""

    WAITS = "waits for room"
    """It has not joined yet: its process is about to start, or has no room in the cluster."""
    STARTS = "starts"
    """Its engine is being started; it decodes meanwhile."""
    ANSWERS = "answers"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """One replica at one moment."""

    name: str
    where: str
    """Host name, or address of the server; empty before it has joined."""
    stage: Stage
    lost: str | None
    """Why it was lost."""
    items: int
    """Finished items."""
    items_per_s: float
    """Over the time in which it has answered."""
    videos: int
    """Finished videos."""
    held_videos: int
    held_items: int
    answer_s: float | None
    """Seconds from being told to answer until its last item; None before its first one."""
    idle_s: float | None
    """Seconds from its last item to that of all replicas; None before its first one."""


@dataclass(slots=True)
class Standing:
    """What is known of one replica."""

    started: float = field(default_factory=time.monotonic)
    joined: Joined | None = None
    first: str | None = None
    """The canary's answer at the start."""
    begun: float | None = None
    """When it was told to answer."""
    items: int = 0
    last: float | None = None
    """When its last item was finished."""
    videos: int = 0
    """Videos that it has finished."""
    empty: list[Answered] = field(default_factory=list)
    """Answers without a text since its last one with a text."""
    ended: Ended | None = None
    lost: str | None = None
    """Why it was lost or struck out."""
    vanished: bool = False
    """Whether its process or node is gone, without an error of its own."""
    needed: bool = True
    """Whether anything was left for it when it began."""
    struck_out: bool = False
    """Whether its canary was the reason."""
    parked: dict[AnswerKey, Answered] = field(default_factory=dict)
    """Failures that may be the replica's own, not the item's."""

    @property
    def answers(self) -> bool:
        """Whether it was told to answer."""
        return self.begun is not None

    @property
    def answer_s(self) -> float | None:
        """Seconds from being told to answer until its last item; None before its first one."""
        return None if self.begun is None or self.last is None else self.last - self.begun

    @property
    def lives(self) -> bool:
        """Whether it may still answer."""
        return self.lost is None and self.ended is None

    @property
    def fell_silent(self) -> bool:
        """Whether it answered the canary at its start and says nothing about it at its end."""
        if self.first is None or self.ended is None:
            return False
        return not is_silent(self.first) and is_silent(self.ended.text)

    def count(self, answer: Answered, *, videos: int) -> None:
        """Count an item that it has finished, and the videos that it has finished with it."""
        record = answer.record
        self.items += 1
        self.videos += videos
        self.last = time.monotonic()
        if (record.text or record.reasoning or "").strip():
            self.empty.clear()
        elif record.failure is None:
            self.empty.append(answer)

    def idle_s(self, latest: float) -> float | None:
        """Return the seconds from its last item to the latest one of all replicas."""
        return None if self.last is None else latest - self.last

    def state(self, name: str, *, held_videos: int, held_items: int, latest: float) -> ReplicaState:
        """Return what is shown of it.

        Args:
            name: Its name.
            held_videos: Videos that it has to answer.
            held_items: Items that it has to answer.
            latest: When the last item of all replicas was finished.
        """
        end = time.monotonic() if self.lives else self.last
        answered_s = 0.0 if self.begun is None or end is None else end - self.begun
        return ReplicaState(
            name=name,
            where="" if self.joined is None else self.joined.where,
            stage=self._stage(),
            lost=self.lost if self.needed else None,
            items=self.items,
            items_per_s=self.items / answered_s if answered_s > 0 else 0.0,
            videos=self.videos,
            held_videos=held_videos,
            held_items=held_items,
            answer_s=self.answer_s,
            idle_s=self.idle_s(latest),
        )

    def _stage(self) -> Stage:
        if self.ended is not None or not self.needed:
            return Stage.ENDED
        if self.lost is not None:
            return Stage.LOST
        if self.answers:
            return Stage.ANSWERS
        return Stage.WAITS if self.joined is None else Stage.STARTS


def view(standings: Mapping[str, Standing], book: LeaseBook) -> list[ReplicaState]:
    """Return how all replicas stand, in the order in which they were started."""
    holders, latest = set(book.holders), latest_item(standings)
    return [
        one.state(
            name,
            latest=latest,
            held_videos=book.held_videos(name) if name in holders else 0,
            held_items=book.held(name) if name in holders else 0,
        )
        for name, one in standings.items()
    ]


def latest_item(standings: Mapping[str, Standing]) -> float:
    """Return when the last item of all replicas was finished, 0 before the first."""
    return max((one.last for one in standings.values() if one.last is not None), default=0.0)


def warn_of_late(standings: Mapping[str, Standing], now: float) -> str | None:
    """Return a sentence about replicas that should have joined; None where there are none."""
    late = [
        name
        for name, one in standings.items()
        if one.lives and one.joined is None and one.started < now - _PATIENCE_S
    ]
    if not late:
        return None
    return (
        f"{', '.join(late)}: not joined after {_PATIENCE_S:g} s; the cluster may have no room for"
        " them, or they read checkpoint and data slowly"
    )


def reasons_of(standings: Mapping[str, Standing]) -> str:
    """Return why no replica answers any more, each reason once: ``r0, r1: no such file``."""
    names: dict[str, list[str]] = {}
    for name, one in standings.items():
        names.setdefault(one.lost or "it has not joined", []).append(name)
    return "; ".join(f"{', '.join(who)}: {reason}" for reason, who in names.items())
