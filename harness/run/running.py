"""Counts what an evaluation has done so far: items, videos, speed, score, time that is left.

The running score is that of the summary, of the items that are finished. It is computed anew only
where that costs a small part of the time since the last one, however many items a run has.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.replicas.standing import ReplicaState
from harness.run.plan import Plan, PlannedTask
from harness.run.summary import estimate_score
from harness.schema import Outcome, Record

Clock = Callable[[], float]

_WINDOW = 256
"""Finished items over which speed is measured: it follows a change, and bursts even out."""
_LEAST_WAIT_S = 1.0
_SHARE = 20
"""A score that took T seconds is computed again after 20 T at the earliest."""
_NOT_ASKED = ("media", "prompt")
"""Stages of failures that no engine has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """One task at one moment."""

    name: str
    """The task's; with the run's name behind it where several runs share an engine."""
    done: int
    """Finished answers: items, or items times repeats."""
    total: int
    videos_done: int
    """Videos all of whose items are finished."""
    videos: int
    failed: int
    score: float | None
    """Percent, over the finished items; None where none has a value."""
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """A run at one moment; speeds are those of the last items."""

    tasks: tuple[TaskProgress, ...]
    unit: str
    """What is counted: ``items``, or ``answers`` where items repeat."""
    done: int
    total: int
    failed: int
    in_flight: int
    """Questions that the engine has taken and not answered."""
    items_per_s: float
    tokens_per_s: float
    elapsed_s: float
    left_s: float | None
    """None before the first item. It grows while nothing finishes."""
    replicas: tuple[ReplicaState, ...] = ()
    """Empty where one engine of this process answers."""

    @property
    def videos_done(self) -> int:
        """Videos all of whose items are finished, summed over tasks."""
        return sum(task.videos_done for task in self.tasks)

    @property
    def videos(self) -> int:
        """Videos of all tasks; one that two tasks share counts twice."""
        return sum(task.videos for task in self.tasks)


class RunCounter:
    """Counts the items of a run; safe from any thread.

    Args:
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks: dict[tuple[str, str], _TaskCounter] = {}
        self._replicas: tuple[ReplicaState, ...] = ()
        self._unit = "items"
        self._total = self._done = self._failed = self._in_flight = 0
        self._started = clock()
        self._window: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._before_window = self._started

    def begin(self, *, total: int, done: int) -> None:
        """Take the numbers of all items and of those that are finished already."""
        with self._lock:
            self._total, self._done = total, done

    def plan(self, plan: Plan, finished: Iterable[Record], run: str = "") -> None:
        """Take what a run asks, and the records of earlier invocations that stand."""
        with self._lock:
            self._unit = plan.unit
            for planned in plan.tasks:
                name = f"{planned.task.name} {run}".rstrip()
                self._tasks[run, planned.task.name] = _TaskCounter(name, planned, plan.absent)
            for record in finished:
                self._count_in_task(record, run)

    def start(self) -> None:
        """Begin to measure speed: the engine is ready."""
        with self._lock:
            self._started = self._before_window = self._clock()

    def asked(self) -> None:
        """Count a question that the engine has taken."""
        with self._lock:
            self._in_flight += 1

    def add(self, record: Record, run: str = "") -> None:
        """Count a finished item of a run."""
        with self._lock:
            self._done += 1
            failure = record.failure
            self._failed += record.outcome is Outcome.FAILED
            if failure is None or failure.stage not in _NOT_ASKED:
                self._in_flight = max(0, self._in_flight - 1)
            if len(self._window) == _WINDOW:
                self._before_window = self._window[0][0]
            self._window.append((self._clock(), record.output_tokens))
            self._count_in_task(record, run)

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        """Take how the replicas stand."""
        with self._lock:
            self._replicas = tuple(states)

    def now(self) -> RunProgress:
        """Return the state of the run."""
        with self._lock:
            now = self._clock()
            span = max(now - self._before_window, 1e-9)
            speed = len(self._window) / span
            open_items = max(0, self._total - self._done)
            return RunProgress(
                tasks=tuple(task.now(now, self._clock) for task in self._tasks.values()),
                unit=self._unit,
                done=self._done,
                total=self._total,
                failed=self._failed,
                in_flight=self._in_flight,
                items_per_s=speed,
                tokens_per_s=sum(tokens for _, tokens in self._window) / span,
                elapsed_s=now - self._started,
                left_s=open_items / speed if self._window else None,
                replicas=self._replicas,
            )

    def _count_in_task(self, record: Record, run: str) -> None:
        task = self._tasks.get((run, record.task))
        if task is not None:  # rows of a training have another task's name
            task.add(record)


class _TaskCounter:
    """Counts one task, and keeps its records for the running score."""

    def __init__(self, name: str, planned: PlannedTask, absent: frozenset[str]) -> None:
        asked = [sample for sample in planned.samples if sample.id not in absent]
        self._name = name
        self._means = planned.scorer.aggregation
        self._total = len(asked) * planned.protocol.repeats
        self._open = Counter(sample.cluster for sample in asked)
        for video in self._open:
            self._open[video] *= planned.protocol.repeats
        self._videos = len(self._open)
        self._videos_done = self._failed = 0
        self._records: list[Record] = []
        self._scored = 0
        """How many records the score is of."""
        self._next_score = 0.0
        self._score: tuple[float | None, tuple[float, float] | None] = None, None

    def add(self, record: Record) -> None:
        self._records.append(record)
        self._failed += record.outcome is Outcome.FAILED
        self._open[record.cluster] -= 1
        self._videos_done += self._open[record.cluster] == 0

    def now(self, now: float, clock: Clock) -> TaskProgress:
        whole = len(self._records) >= self._total
        if len(self._records) != self._scored and (now >= self._next_score or whole):
            self._compute_score(clock)
        score, interval = self._score
        return TaskProgress(
            name=self._name,
            done=len(self._records),
            total=self._total,
            videos_done=self._videos_done,
            videos=self._videos,
            failed=self._failed,
            score=score,
            ci95=interval,
        )

    def _compute_score(self, clock: Clock) -> None:
        began = clock()
        found = estimate_score(self._records, self._means)
        self._scored = len(self._records)
        if found is not None:
            low, high = found.ci95 or (None, None)
            ends = None if low is None or high is None else (100 * low, 100 * high)
            self._score = 100 * found.mean, ends
        ended = clock()
        self._next_score = ended + max(_LEAST_WAIT_S, _SHARE * (ended - began))
