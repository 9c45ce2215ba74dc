"""Answers the open items of a run with several replicas; this process is the only writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from typing import Any

from harness.backends.base import EngineStats
from harness.backends.openai import ServerConfig
from harness.backends.select import ResolvedEngine
from harness.replicas import canary
from harness.replicas.driver import Driver
from harness.replicas.fleet import Answered, Fleet, Replica
from harness.replicas.leases import LeaseBook
from harness.replicas.standing import ReplicaState, Standing, latest_item
from harness.replicas.threads import ThreadFleet
from harness.run.config import DecodeConfig
from harness.run.failure_watch import OF_THE_SERVER, FailureLimits, FailureWatch
from harness.run.observer import RunObserver
from harness.run.open_items import OpenItems
from harness.run.plan import Plan
from harness.run.record import make_record
from harness.run.replica import EvalReplica
from harness.run.replica_accounts import account, deviations
from harness.run.store import RunWriter
from harness.run.timing import Timing
from harness.schema import AnswerKey, Failure, Record
from harness.video.pool import DecodeCounts

_SERVER_AHEAD = 4
"""Open questions leased to a server, as a multiple of those that it is asked at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Squad:
    """The replicas that a run begins with."""

    names: tuple[str, ...]
    fleet: Callable[[bytes], Fleet]
    """Returns where they run, given the canary's video."""
    ahead: int
    """Open questions that a replica may hold."""
    notes: tuple[str, ...] = ()
    """What a person should know before it begins."""


def servers_squad(plan: Plan, engine: ResolvedEngine, decoding: DecodeConfig) -> Squad:
    """Return one replica per server; they share the decode processes and memory of this machine."""
    count = len(engine.servers)
    share = replace(
        decoding,
        workers=max(1, decoding.workers // count),
        look_ahead=max(1, decoding.look_ahead // count),
    )

    def builder(name: str, server: ResolvedEngine, clip: bytes) -> Callable[[], Replica]:
        return lambda: EvalReplica(lambda: (plan, server), share, clip, where=name)

    return Squad(
        names=tuple(engine.servers),
        fleet=lambda clip: ThreadFleet(
            {name: builder(name, server, clip) for name, server in engine.servers.items()}
        ),
        ahead=_SERVER_AHEAD * int(engine.settings.get("concurrency", ServerConfig().concurrency)),
    )


def answer_with_replicas(
    items: OpenItems,
    runs: Mapping[str, RunWriter],
    squad: Squad,
    *,
    patch_multiple: int,
    observer: RunObserver,
    watch: FailureWatch,
) -> tuple[Timing, list[dict[str, Any]]]:
    """Answer every open item; return where the time went and one account per replica.

    Raises:
        HarnessError: No replica is left.
        TooManyFailuresError: The run was ended by its limits.
    """
    clip = canary.draw_clip()
    pixels = canary.fingerprint(canary.decode_clip(clip, patch_multiple))
    book = LeaseBook(_leases(items), ahead=squad.ahead, expected=len(squad.names))
    with _Listener(items, runs, observer, watch) as listener:
        driver = Driver(
            book, squad.fleet(clip), listener, pixels=pixels, is_own_fault=_is_own_fault
        )
        driver.run(squad.names)
    for sentence in deviations(driver.standings, pixels):
        observer.warn(sentence)
    latest = latest_item(driver.standings)
    accounts = [
        account(name, one, pixels=pixels, latest=latest) for name, one in driver.standings.items()
    ]
    return listener.timing(driver.standings.values()), accounts


def make_watch(
    plan: Plan, runs: Mapping[str, RunWriter], limits: FailureLimits | None
) -> FailureWatch:
    """Return the one watch over the failures of all replicas."""
    answered = any(run.finished() for run in runs.values())
    return FailureWatch(limits or FailureLimits(), items=plan.n_answers, answered=answered)


def _leases(items: OpenItems) -> Iterator[Sequence[AnswerKey]]:
    """Yield videos, the longest first, and then questions without media one by one."""
    without: list[AnswerKey] = []
    for keys in items.leases():
        if items.job_of(keys[0]).media:
            yield keys
        else:
            without += keys
    yield from ((key,) for key in without)


def _is_own_fault(record: Record) -> bool:
    return record.failure is not None and record.failure.error in OF_THE_SERVER


class _Listener:
    """Writes what replicas answer, and shows it."""

    def __init__(
        self,
        items: OpenItems,
        runs: Mapping[str, RunWriter],
        observer: RunObserver,
        watch: FailureWatch,
    ) -> None:
        self._items = items
        self._runs = runs
        self._observer = observer
        self._watch = watch
        self._shown = ExitStack()
        self._started = self._begun = self._last = time.perf_counter()
        self._records: list[Record] = []

    def __enter__(self) -> _Listener:
        self._shown.enter_context(self._observer.starting("replicas"))
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.close()

    def begun(self) -> None:
        """Show the progress of answers from now on."""
        self._begun = time.perf_counter()
        self._shown.close()
        self._shown.enter_context(self._observer.answering())

    def warn(self, message: str) -> None:
        """Show a warning."""
        self._observer.warn(message)

    def answered(self, name: str, answer: Answered) -> None:
        """Write a record."""
        record = answer.record
        self._runs[answer.run].append(record)
        self._records.append(record)
        self._last = time.perf_counter()
        self._observer.asked()
        self._observer.of_run(answer.run).record(record)
        job = self._items.job_of(answer.key)
        self._watch.note(record, job if job.media else None)

    def failed(self, questions: Sequence[AnswerKey], reason: str) -> None:
        """Write the failures of a video at which replicas were lost again and again."""
        for key in questions:
            failure = Failure(
                stage="generate",
                error="ReplicaLostError",
                message=f"every replica that held its video was lost, the last one: {reason}",
            )
            run, _, repeat = key
            record = replace(make_record(*self._items.work[key], failure), repeat=repeat)
            self.answered("", Answered(record=record, run=run))

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        """Show how the replicas stand."""
        self._observer.replicas(states)

    def unproven(self, name: str, answers: Sequence[Answered]) -> None:
        """Write empty answers as failures: nobody knows whether the model gave them."""
        reason = f"replica {name} says nothing any more; its last {len(answers)} answers were empty"
        self.warn(f"{reason}: they count as failed, the same command asks them again")
        for answer in answers:
            failure = Failure(stage="generate", error="SilentReplicaError", message=reason)
            record = make_record(*self._items.work[answer.key], failure)
            self._runs[answer.run].append(replace(record, repeat=answer.record.repeat))

    def timing(self, standings: Iterator[Standing] | Any) -> Timing:
        """Return the times up to the last record and the sums of what replicas counted."""
        ended = [one.ended for one in standings if one.ended is not None]
        return Timing(
            items=len(self._records),
            start_s=self._begun - self._started,
            answer_s=max(0.0, self._last - self._begun),
            prompt_tokens=sum(record.prompt_tokens for record in self._records),
            output_tokens=sum(record.output_tokens for record in self._records),
            decode=_sum_decodes([end.decode for end in ended]),
            engine=_sum_stats([end.engine for end in ended]),
        )


def _sum_decodes(counts: Sequence[DecodeCounts]) -> DecodeCounts:
    return DecodeCounts(
        **{one.name: sum(getattr(count, one.name) for count in counts)
           for one in fields(DecodeCounts)}
    )  # fmt: skip


def _sum_stats(stats: Sequence[EngineStats]) -> EngineStats:
    sums: dict[str, Any] = {}
    for one in fields(EngineStats):
        known = [getattr(stat, one.name) for stat in stats if getattr(stat, one.name) is not None]
        sums[one.name] = sum(known) if known else None
    return EngineStats(**sums)
