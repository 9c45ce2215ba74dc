"""Answers what a driver leases: the engine and the decode pool of one replica, and its loop.

The loop is the one of the one-process run (`harness.run.runner`); its leases come from the driver
and its records go there.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from queue import SimpleQueue

from harness.backends.base import Backend, EngineStats
from harness.backends.select import ResolvedEngine
from harness.replicas import canary
from harness.replicas.fleet import (
    Answered,
    Decoding,
    Ended,
    Event,
    Joined,
    Questions,
    Read,
    Spoke,
)
from harness.run.config import DecodeConfig
from harness.run.failure_watch import FailureLimits
from harness.run.observer import RunObserver
from harness.run.opening import open_decode_pool, start_engine
from harness.run.plan import Plan
from harness.run.reading import ReadingBackend
from harness.run.runner import Runner
from harness.schema import AnswerKey, Clip, ItemKey, Record
from harness.video.pool import DecodePool

_DECODERS = ("av", "numpy", "pillow")
"""Packages that can move a pixel."""


class EvalReplica:
    """One replica of an evaluation; implements `harness.replicas.fleet.Replica`.

    Args:
        prepare: Returns what is asked and what answers; called where the replica runs.
        decoding: Settings of its decode pool.
        clip: The canary's video, as the driver has drawn it.
        where: Name of the place; None: the host's name.
    """

    def __init__(
        self,
        prepare: Callable[[], tuple[Plan, ResolvedEngine]],
        decoding: DecodeConfig,
        clip: bytes,
        where: str | None = None,
    ) -> None:
        self._prepare = prepare
        self._decoding = decoding
        self._clip = clip
        self._where = where or platform.node()
        self._inbox: SimpleQueue[Questions | None] = SimpleQueue()
        self._events: SimpleQueue[Event | Exception | None] = SimpleQueue()
        self._may_begin = threading.Event()
        self._stopped = False
        self._began = time.perf_counter()

    def lease(self, leases: Sequence[Questions]) -> None:
        """Add videos to answer."""
        for questions in leases:
            self._inbox.put(questions)

    def begin(self) -> None:
        """Let the engine answer."""
        self._may_begin.set()

    def finish(self) -> None:
        """End after what is held."""
        self._inbox.put(None)

    def stop(self) -> None:
        """End as soon as the requests that are under way allow it."""
        self._stopped = True
        self._may_begin.set()
        self._inbox.put(None)

    def events(self) -> Iterator[Event]:
        """Start, answer what is leased, and yield what happens."""
        threading.Thread(target=self._work, name="replica", daemon=True).start()
        while (event := self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def _work(self) -> None:
        try:
            self._answer_leases()
            self._events.put(None)
        except Exception as error:  # noqa: BLE001 - raised in the thread that reads the events
            self._events.put(error)

    def _answer_leases(self) -> None:
        plan, engine = self._prepare()
        clip = canary.decode_clip(self._clip, engine.patch_multiple)
        versions = {name: version(name) for name in _DECODERS}
        pixels = canary.fingerprint(clip)
        self._events.put(Joined(pixels=pixels, where=self._where, versions=versions))
        runner = Runner(
            plan,
            {name: _ReplicaRun(name, self._events) for name in plan.runs},
            RunObserver(),
            patch_multiple=engine.patch_multiple,
            limits=FailureLimits(stop_after=0),
            leases=self._leases(),
        )
        with open_decode_pool(self._decoding) as pool:
            try:
                runner.prefetch(pool)
                backend = start_engine(engine)
                try:
                    end = self._drive(runner, backend, pool, clip)
                finally:
                    backend.close()
            finally:
                self._inbox.put(None)  # the pool waits for the next lease while it closes
                runner.stop()
        if end is not None:
            self._events.put(end)

    def _drive(
        self, runner: Runner, backend: Backend, pool: DecodePool, clip: Clip
    ) -> Ended | None:
        """Answer the canary, the leases, and the canary again; return None if told to stop."""
        self._events.put(Spoke(text=canary.ask_engine(backend, clip)))
        self._may_begin.wait()
        if self._stopped:
            return None
        ready, before = time.perf_counter(), backend.stats()
        runner.run(ReadingBackend(backend, self._tell_read), pool)
        after, done = backend.stats(), time.perf_counter()
        if self._stopped:
            return None
        return Ended(
            text=canary.ask_engine(backend, clip),
            pixels=canary.fingerprint(canary.decode_clip(self._clip, runner.patch_multiple)),
            start_s=ready - self._began,
            answer_s=done - ready,
            decode=pool.counts,
            engine=_difference(after, before),
        )

    def _tell_read(self, question: AnswerKey) -> None:
        self._events.put(Read(question=question))

    def _leases(self) -> Iterator[Questions]:
        while (questions := self._inbox.get()) is not None:
            if self._stopped:
                break
            self._events.put(Decoding(question=questions[0]))
            yield questions
        self._inbox.put(None)  # for the next thread that asks


@dataclass(frozen=True, slots=True)
class _ReplicaRun:
    """One of the runs whose items a replica answers: its records go to the driver."""

    name: str
    events: SimpleQueue[Event | Exception | None]

    def finished(self) -> set[ItemKey]:
        """Return nothing: the driver leases open items only."""
        return set()

    def append(self, record: Record) -> None:
        """Send a record to the driver."""
        self.events.put(Answered(record=record, run=self.name))


def _difference(after: EngineStats, before: EngineStats) -> EngineStats:
    """Return what an engine has done between two moments; the canary does not count."""
    changes = {}
    for one in fields(EngineStats):
        late, early = getattr(after, one.name), getattr(before, one.name)
        changes[one.name] = None if late is None else late - (early or 0)
    return replace(EngineStats(), **changes)
