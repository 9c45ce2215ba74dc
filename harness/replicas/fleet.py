"""Defines what replicas tell their driver, and what a driver needs of them wherever they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.backends.base import EngineStats
from harness.schema import AnswerKey, Record
from harness.video.pool import DecodeCounts

Questions = Sequence[AnswerKey]
"""The open questions of one video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A replica can read data and checkpoint; it decodes, its engine is being started."""

    pixels: str
    """Fingerprint of the canary's decoded frames."""
    where: str
    """Host name, or address of the server."""
    versions: Mapping[str, str]
    """Versions of the packages that decode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """A replica's engine has answered the canary; it waits for `Replica.begin`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """A replica has begun to decode a video."""

    question: AnswerKey
    """One of its questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A replica's engine has read a video: encoded it and processed a prompt about it."""

    question: AnswerKey
    """One of its questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A replica has finished an item."""

    record: Record
    run: str = ""
    """Which of several runs that share the engines the item is of."""

    @property
    def key(self) -> AnswerKey:
        """What tells the answer from the others that replicas owe."""
        return self.run, *self.record.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A replica has finished all that it held, was told that there is no more, and has closed."""

    text: str
    """The canary's answer at the end."""
    pixels: str
    start_s: float
    """From the replica's start to the engine's first answer."""
    answer_s: float
    decode: DecodeCounts
    engine: EngineStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A replica is gone."""

    reason: str
    error: Exception | None = None
    """What it raised; None where its process or node is gone."""


Event = Joined | Spoke | Decoding | Read | Answered | Ended | Lost


class Replica(Protocol):
    """One engine and one decode pool. `events` runs on a thread of its own beside the others."""

    def events(self) -> Iterator[Event]:
        """Start, answer what is leased, and yield what happens; an error means that it is lost."""

    def lease(self, leases: Sequence[Questions]) -> None:
        """Add videos to answer."""

    def begin(self) -> None:
        """Answer; before, the replica decodes only."""

    def finish(self) -> None:
        """End after what is held: there are no more leases."""

    def stop(self) -> None:
        """End now."""


class Fleet(Protocol):
    """Runs replicas somewhere and carries calls and events."""

    def start(self, name: str) -> None:
        """Start a replica; it joins when there is room for it."""

    def can_replace(self) -> bool:
        """Return whether a replica that is lost can be started again under another name."""

    def call(self, name: str, method: str, *arguments: Any) -> None:
        """Call a method of a replica without waiting for it; a replica that is gone is ignored."""

    def wait(self, timeout_s: float) -> Sequence[tuple[str, Event]]:
        """Return what has happened, in order, as soon as anything has; nothing at the timeout."""

    def drop(self, name: str) -> None:
        """End a replica at once; no more of its events are returned."""

    def close(self) -> None:
        """End every replica at once and free what the fleet holds."""
