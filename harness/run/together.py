"""Answers the open items of one run, or of several runs that share an engine and decoded videos.

Each member has a plan and a run directory of its own, which reads and resumes as any run. Their
questions about a video are asked in a row, whoever asks them, so that the video is decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.backends.select import ResolvedEngine
from harness.run.config import DecodeConfig
from harness.run.failure_watch import FailureLimits
from harness.run.observer import RunObserver
from harness.run.open_items import OpenItems
from harness.run.opening import open_decode_pool, start_engine
from harness.run.plan import Plan
from harness.run.replicated import Squad, answer_with_replicas, make_watch, servers_squad
from harness.run.runner import Runner, finished_answers
from harness.run.samples_file import keep_samples
from harness.run.store import RunWriter
from harness.run.summary import summarise_run, write_results
from harness.run.timing import Stopwatch, Timing
from harness.schema import Outcome

MakeSquad = Callable[[], Squad]
"""Starts or reaches what replicas need, once there is an open item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of the runs that share an engine."""

    name: str
    """Unique among the members; empty for a run that is alone."""
    plan: Plan
    out: Path
    """Run directory, made if need be; a directory of another run is refused."""
    manifest: Mapping[str, Any]
    """Its ``run.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What it took to answer the open items."""

    timing: Timing | None = None
    """Where the time went; None where nothing was open."""
    replicas: Sequence[Mapping[str, Any]] = ()
    """What each replica did; empty where one engine of this process answered."""


def join_plans(members: Sequence[Member]) -> Plan:
    """Return one plan of everything that the members ask."""
    return Plan(
        tuple(
            replace(planned, run=member.name) for member in members for planned in member.plan.tasks
        ),
        absent=frozenset().union(*(member.plan.absent for member in members)),
    )


def evaluate_together(  # noqa: PLR0913 - the one loop: each argument is named below
    members: Sequence[Member],
    engine: ResolvedEngine,
    folder: Path,
    *,
    decoding: DecodeConfig,
    observer: RunObserver,
    limits: FailureLimits | None = None,
    squad: MakeSquad | None = None,
) -> Accounts:
    """Answer and record the items that the members' run directories lack, then summarise each.

    Videos are decoded while the engine starts. Where no item is open no engine is started. An item
    whose media are absent in one member is left open in all, so that all ask the same items.

    Args:
        members: The runs.
        engine: What answers.
        folder: What the observer is told to be written to.
        decoding: Decode processes, their limits and the frame cache.
        observer: Told of progress; `RunObserver.of_run` of what concerns one member.
        limits: How many failures, of all members together, end the evaluation early.
        squad: Makes the replicas that answer; None: one engine in this process, or the servers.

    Returns:
        Where the time went and what replicas did. Both are stored in the summary of a run that is
        alone; those of several members cannot be divided among them.

    Raises:
        TooManyFailuresError: The limits ended it; what was answered is kept.
    """
    with ExitStack() as stack:
        runs = {
            member.name: stack.enter_context(RunWriter(member.out, member.manifest))
            for member in members
        }
        for member in members:
            keep_samples(member.out, member.plan, member.manifest)
        work = _Work(join_plans(members), engine, runs, decoding, observer, limits)
        done = work.answer_open_items(members, folder, squad)
        alone = len(members) == 1
        for member in members:
            records = list(runs[member.name].records.values())
            write_results(
                member.out,
                summarise_run(member.plan, records),
                records,
                done.timing if alone else None,
                done.replicas if alone else (),
            )
    return done


@dataclass(frozen=True, slots=True)
class _Work:
    """What is asked, what answers, and where records go."""

    plan: Plan
    engine: ResolvedEngine
    runs: Mapping[str, RunWriter]
    decoding: DecodeConfig
    observer: RunObserver
    limits: FailureLimits | None

    def answer_open_items(
        self, members: Sequence[Member], folder: Path, squad: MakeSquad | None
    ) -> Accounts:
        """Answer what is open."""
        items = OpenItems(self.plan, finished_answers(self.runs), self.engine.patch_multiple)
        total = self.plan.n_answers - items.n_absent
        self.observer.begin(folder, total=total, done=total - len(items.work))
        for member in members:
            stored = self.runs[member.name].records.values()
            finished = [record for record in stored if record.outcome is not Outcome.FAILED]
            self.observer.of_run(member.name).plan(member.plan, finished)
        if not items.work:
            return Accounts()
        if self.engine.servers:
            squad = partial(servers_squad, self.plan, self.engine, self.decoding)
        if squad is None:
            return Accounts(timing=self._answer_alone())
        timing, replicas = answer_with_replicas(
            items,
            self.runs,
            squad(),
            patch_multiple=self.engine.patch_multiple,
            observer=self.observer,
            watch=make_watch(self.plan, self.runs, self.limits),
        )
        return Accounts(timing=timing, replicas=replicas)

    def _answer_alone(self) -> Timing:
        """Answer with one engine, started by this process."""
        runner = Runner(
            self.plan,
            self.runs,
            self.observer,
            patch_multiple=self.engine.patch_multiple,
            limits=self.limits,
            careful=self.engine.served,
        )
        with open_decode_pool(self.decoding) as pool:
            watch = Stopwatch()
            runner.prefetch(pool)
            try:
                with self.observer.starting(self.engine.backend):
                    backend = start_engine(self.engine)
                watch.engine_ready()
                try:
                    with self.observer.answering():
                        runner.run(backend, pool)
                    return watch.timing(runner.records, pool.counts, backend.stats())
                finally:
                    backend.close()
            finally:
                runner.stop()
