"""The evaluation loop: decode, ask, score, append.

Everything lazy: the backend pulls requests while earlier answers are scored and written. This
module is the one place where something that goes wrong with an item becomes a record of it.

The order of requests: jobs are decoded longest first, so that the run does not end in waiting for
one long video, and enter the engine as they become ready; the questions of one video follow each
other, so that its vision features and its KV prefix are computed once and used while they are
cached.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from harness.backends.base import Backend
from harness.run.between_frames import show_between
from harness.run.failure_watch import FailureLimits, FailureWatch
from harness.run.observer import RunObserver
from harness.run.open_items import Lease, OpenItems, Work
from harness.run.plan import Plan
from harness.run.record import failure_of, make_record
from harness.run.recorder import Recorder
from harness.run.repeats import sampling_of_repeat
from harness.schema import (
    AnswerKey,
    Clip,
    Completion,
    Failure,
    ItemKey,
    Record,
    Request,
)
from harness.video.jobs import DecodeJob
from harness.video.pool import Decoded, DecodePool
from harness.video.variants import arrange


class RecordSink(Protocol):
    """Where records go; `harness.run.store.RunWriter` outside of replicas."""

    def finished(self) -> set[ItemKey]:
        """Return the items and repeats that need no further work."""

    def append(self, record: Record) -> None:
        """Take one finished item; called from the recording thread."""


def finished_answers(runs: Mapping[str, RecordSink]) -> set[AnswerKey]:
    """Return the answers of some runs, by name, that need no further work."""
    return {(name, *key) for name, run in runs.items() for key in run.finished()}


class Runner:
    """Runs what a plan still lacks in a run directory."""

    def __init__(  # noqa: PLR0913 - each argument is named below
        self,
        plan: Plan,
        run: RecordSink | Mapping[str, RecordSink],
        observer: RunObserver,
        *,
        patch_multiple: int,
        limits: FailureLimits | None = None,
        careful: bool = False,
        leases: Iterable[Lease] | None = None,
    ) -> None:
        """Prepare to answer what is open.

        Args:
            plan: What is asked.
            run: Where the records go; by name of the run (`PlannedTask.run`) where several runs
                share the engine.
            observer: Told of questions that are asked and of items that are finished.
            patch_multiple: What frame sides are multiples of (the processor needs it).
            limits: How many failures end the run.
            careful: Whether to ask and decode little before the first answer.
            leases: What to answer, taken one after another as there is room; None: all that is
                open. It may block; then it has to end before the decode pool is closed.
        """
        self._runs = run if isinstance(run, Mapping) else {"": run}
        self._observer = observer
        self._recorder = Recorder()
        self._decoded: Iterator[Decoded] | None = None
        self.records: list[Record] = []
        """What this runner has recorded so far, in that order."""
        done = finished_answers(self._runs)
        self._watch = FailureWatch(
            limits or FailureLimits(),
            items=plan.n_answers,
            answered=bool(done),
            careful=careful,
        )
        self.patch_multiple = patch_multiple
        self._items = OpenItems(plan, done, patch_multiple)
        self._leases = leases
        self._waiting: defaultdict[DecodeJob, deque[Lease]] = defaultdict(deque)
        self._open: Counter[DecodeJob] = Counter()

    @property
    def work(self) -> Mapping[AnswerKey, Work]:
        """What was open when this runner was built."""
        return self._items.work

    @property
    def n_absent(self) -> int:
        """How many open answers are left out because their media are missing."""
        return self._items.n_absent

    @property
    def jobs(self) -> list[DecodeJob]:
        """What has to be decoded, in the order in which it should be."""
        return self._items.jobs

    def prefetch(self, pool: DecodePool) -> None:
        """Begin to decode; `run` goes on with it. An engine can be loaded meanwhile."""
        self._decoded = pool.decode(self._jobs_in_turn())

    def stop(self) -> None:
        """Ask and decode nothing more; what decodes ahead is not left waiting."""
        self._watch.end()

    def run(self, backend: Backend, pool: DecodePool) -> None:
        """Answer and record every open item, in whatever order the engine finishes them.

        Raises:
            TooManyFailuresError: Every item from the start on met the same failure, or more
                failed than the limits allow.
        """
        if self._decoded is None:
            self.prefetch(pool)
        try:
            with self._recorder:
                for request, answer in backend.generate(self._requests(pool)):
                    self._finish(pool, request.key, answer, request.decoded)
        finally:
            self.stop()

    def _jobs_in_turn(self) -> Iterator[DecodeJob]:
        """Yield what has to be decoded, when it may be; questions without media have empty jobs."""
        for keys in self._items.leases() if self._leases is None else self._leases:
            job = self._items.job_of(keys[0])
            if job.media and not self._watch.may_decode():
                return
            self._open[job] += len(keys)
            self._waiting[job].append(keys)
            yield job

    def _requests(self, pool: DecodePool) -> Iterator[Request]:
        """Yield requests as their media become ready, the questions of one clip in a row."""
        for job, decoded in self._decoded or ():
            if not job.media:
                pool.release(job)
            yield from self._ask(pool, self._waiting[job].popleft(), decoded)

    def _ask(
        self, pool: DecodePool, keys: Iterable[AnswerKey], clips: tuple[Clip, ...] | Failure
    ) -> Iterator[Request]:
        for key in keys:
            if isinstance(clips, Failure):
                self._finish(pool, key, clips)
                continue
            try:
                request = self._request(key, clips)
            except Exception as error:  # noqa: BLE001 - the boundary: a bad item costs itself only
                self._finish(pool, key, failure_of("prompt", error))
            else:
                if not self._watch.may_ask():
                    return
                self._observer.asked()
                yield request

    def _request(self, key: AnswerKey, clips: Iterable[Clip]) -> Request:
        planned, sample = self.work[key]
        frames, protocol, (run, _, repeat) = planned.frames, planned.protocol, key
        whole = tuple(arrange(clip, frames.order, frames.seed) for clip in clips)
        prompt, shown = show_between(planned.prompt(sample, whole), whole)
        return Request(
            id=sample.id,
            repeat=repeat,
            run=run,
            prompt=prompt,
            sampling=sampling_of_repeat(planned.sampling, sample.id, repeat, protocol.repeats),
            thinking_budget=protocol.thinking_budget,
            reasoning=protocol.reasoning,
            clips=shown,
            whole=() if shown is whole else whole,
        )

    def _finish(
        self,
        pool: DecodePool,
        key: AnswerKey,
        answer: Completion | Failure,
        clips: tuple[Clip, ...] = (),
    ) -> None:
        """Queue an answer for scoring and writing; free its frames after its video's last one."""

        def write() -> None:
            run, _, repeat = key
            record = replace(make_record(*self.work[key], answer, clips), repeat=repeat)
            self._runs[run].append(record)
            self.records.append(record)
            self._observer.of_run(run).record(record)
            job = self._items.job_of(key)
            self._watch.note(record, job if job.media else None)
            self._open[job] -= 1
            if job.media and not self._open[job]:
                pool.release(job)

        self._recorder.put(write)
