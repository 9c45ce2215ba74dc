"""The evaluation loop: decode, ask, score, append.

Everything lazy: the backend pulls requests while earlier answers are scored and written. This
module is the one place where something that goes wrong with an item becomes a record of it.

The order of requests: jobs are decoded longest first, so that the run does not end in waiting for
one long video, and enter the engine as they become ready; the questions of one video follow each
other, so that its vision features and its KV prefix are computed once and used while they are
cached.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.backends.base import Backend
from harness.run.failure_watch import FailureLimits, FailureWatch
from harness.run.observer import RunObserver
from harness.run.plan import (
    Plan,
    PlannedTask,
)
from harness.run.record import failure_of, make_record
from harness.run.recorder import Recorder
from harness.run.repeats import sampling_of_repeat
from harness.run.store import RunWriter
from harness.schema import (
    Clip,
    Completion,
    Failure,
    ItemKey,
    Record,
    Request,
    Sample,
    Variant,
)
from harness.video.jobs import DecodeJob, decode_job, heaviest_first
from harness.video.pool import Decoded, DecodePool
from harness.video.variants import arrange

Work = tuple[PlannedTask, Sample]


class Runner:
    """Runs what a plan still lacks in a run directory."""

    def __init__(
        self,
        plan: Plan,
        run: RunWriter,
        observer: RunObserver,
        *,
        patch_multiple: int,
        limits: FailureLimits | None = None,
        careful: bool = False,
    ) -> None:
        """Prepare to answer what is open.

        Args:
            plan: What is asked.
            run: Where the records go.
            observer: Told of questions that are asked and of items that are finished.
            patch_multiple: What frame sides are multiples of (the processor needs it).
            limits: How many failures end the run.
            careful: Whether to ask and decode little before the first answer.
        """
        self._run = run
        self._observer = observer
        self._recorder = Recorder()
        self._decoded: Iterator[Decoded] | None = None
        self.records: list[Record] = []
        """What this runner has recorded so far, in that order."""
        done = run.finished()
        self._watch = FailureWatch(
            limits or FailureLimits(),
            items=plan.n_answers,
            answered=bool(done),
            careful=careful,
        )
        # The repeats of an item follow each other, so that they share their prompt's KV cache, too.
        self.work: dict[ItemKey, Work] = {
            (sample.id, repeat): (planned, sample)
            for planned in plan.tasks
            for sample in planned.samples
            for repeat in range(planned.protocol.repeats)
            if (sample.id, repeat) not in done and sample.id not in plan.absent
        }
        self.n_absent = plan.n_answers - len(done) - len(self.work)
        """How many open answers are left out because their media are missing."""
        self._job_of = {
            key: _job(planned, sample, patch_multiple)
            for key, (planned, sample) in self.work.items()
        }
        self._open = Counter(self._job_of.values())

    @property
    def jobs(self) -> list[DecodeJob]:
        """What has to be decoded, in the order in which it should be."""
        return heaviest_first(job for job in self._open if job is not None)

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
                    self._finish(pool, request.key, answer, request.clips)
        finally:
            self.stop()

    def _jobs_in_turn(self) -> Iterator[DecodeJob]:
        """Yield what has to be decoded, when it may be."""
        for job in self.jobs:
            if not self._watch.may_decode():
                return
            yield job

    def _requests(self, pool: DecodePool) -> Iterator[Request]:
        """Yield requests as their media become ready, the questions of one clip in a row."""
        waiting: defaultdict[DecodeJob | None, list[ItemKey]] = defaultdict(list)
        for key, job in self._job_of.items():
            waiting[job].append(key)
        yield from self._ask(pool, waiting[None], ())
        for job, decoded in self._decoded or ():
            yield from self._ask(pool, waiting[job], decoded)

    def _ask(
        self, pool: DecodePool, keys: Iterable[ItemKey], clips: tuple[Clip, ...] | Failure
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

    def _request(self, key: ItemKey, clips: Iterable[Clip]) -> Request:
        planned, sample = self.work[key]
        frames, protocol = planned.frames, planned.protocol
        return Request(
            id=sample.id,
            repeat=key[1],
            prompt=planned.prompt(sample),
            sampling=sampling_of_repeat(planned.sampling, *key, protocol.repeats),
            thinking_budget=protocol.thinking_budget,
            reasoning=protocol.reasoning,
            clips=tuple(arrange(clip, frames.order, frames.seed) for clip in clips),
        )

    def _finish(
        self,
        pool: DecodePool,
        key: ItemKey,
        answer: Completion | Failure,
        clips: tuple[Clip, ...] = (),
    ) -> None:
        """Queue an answer for scoring and writing; free its frames after its video's last one."""

        def write() -> None:
            record = replace(make_record(*self.work[key], answer, clips), repeat=key[1])
            self._run.append(record)
            self.records.append(record)
            self._observer.record(record)
            job = self._job_of[key]
            self._watch.note(record, job)
            self._open[job] -= 1
            if job is not None and not self._open[job]:
                pool.release(job)

        self._recorder.put(write)


def _job(planned: PlannedTask, sample: Sample, patch_multiple: int) -> DecodeJob | None:
    """Return what has to be decoded for a sample; None: nothing."""
    policy = planned.frames
    if policy.order is Variant.BLIND or not sample.media:
        return None
    return decode_job(sample.media, policy, patch_multiple=patch_multiple)
