"""Measures how evenly leases spread a benchmark over replicas, in simulated time.

    python -m tests.bench.bench_replicas

The driver, the lease book and the writer of records are the real ones. The engines are a model of
a GPU in simulated time: videos are decoded by four processes, also while the engine starts; a video
is encoded and prefilled once, each question adds a short prefill, and every step gives one token to
each running question, at most 256 of them. The bound is the larger of the one-replica time divided
by the replicas and the time that the longest video takes alone; efficiency is the bound divided by
the time taken.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.backends.base import EngineStats
from harness.replicas.driver import Driver
from harness.replicas.fleet import Answered, Ended, Event, Joined, Spoke
from harness.replicas.leases import LeaseBook
from harness.run.store import RunWriter
from harness.schema import AnswerKey, Outcome
from harness.video.pool import DecodeCounts
from tests.toys import record

COUNTS = (1, 2, 4, 8, 16, 64)
BATCH = 256
DECODERS = 4
QUESTION_S = 0.004
"""Prefill of a question behind a cached video: about 60 tokens."""
STEP_S, STEP_PER_QUESTION_S = 0.012, 0.00005
"""An 8B model on an H100: 12 ms for one question, 25 ms for 256."""
FRAME_S = 0.018
"""Encoding and prefill of a frame of about 200 tokens."""
DECODE_PER_MINUTE_S = 1.0
START_S = 30.0
"""Start of an engine; videos are decoded meanwhile. Times count from its end."""


@dataclass(frozen=True)
class Shape:
    """A benchmark as an engine sees it."""

    name: str
    videos: int
    questions: int
    frames: int
    tokens: int
    """Mean length of answers; lengths are drawn, up to four times as many."""
    minutes: tuple[float, float]
    """Shortest and longest video."""


SHAPES = (
    Shape("VSI-Bench, official (16 tokens)", 288, 5130, 32, 16, (0.5, 5)),
    Shape("VSI-Bench, reasoning (300 tokens)", 288, 5130, 32, 300, (0.5, 5)),
    Shape("Video-MME, official (16 tokens)", 900, 2700, 64, 16, (0.2, 60)),
)


@dataclass(frozen=True)
class Work:
    """The drawn sizes of a benchmark."""

    shape: Shape
    videos: list[list[AnswerKey]]
    """Longest first."""
    decode_s: list[float]
    tokens: dict[AnswerKey, int]

    def video_of(self) -> dict[AnswerKey, int]:
        """Map questions to videos."""
        return {key: number for number, keys in enumerate(self.videos) for key in keys}


def draw(shape: Shape, seed: int = 0) -> Work:
    """Draw videos and answers: 3 questions a video for Video-MME, about 18 for VSI-Bench."""
    dice = random.Random(seed)
    low, high = shape.minutes
    minutes = sorted(
        (low * (high / low) ** dice.random() for _ in range(shape.videos)), reverse=True
    )
    mean = shape.questions / shape.videos
    counts = [max(1, round(dice.uniform(0.4, 1.6) * mean)) if mean > 4 else round(mean)
              for _ in minutes]  # fmt: skip
    while sum(counts) != shape.questions:
        number = dice.randrange(shape.videos)
        step = 1 if sum(counts) < shape.questions else -1
        counts[number] = max(1, counts[number] + step)
    videos = [[("", f"v{v}/{n}", 0) for n in range(count)] for v, count in enumerate(counts)]
    tokens = {
        key: min(4 * shape.tokens, max(1, round(dice.lognormvariate(math.log(shape.tokens), 0.5))))
        for keys in videos
        for key in keys
    }
    return Work(shape, videos, [DECODE_PER_MINUTE_S * one for one in minutes], tokens)


@dataclass
class Engine:
    """One replica in simulated time."""

    now: float = START_S
    ready: deque[tuple[float, int, Sequence[AnswerKey]]] = field(default_factory=deque)
    """Decoded videos with the time from which they are there."""
    decoders: list[float] = field(default_factory=lambda: [0.0] * DECODERS)
    waiting: deque[tuple[AnswerKey, int]] = field(default_factory=deque)
    running: dict[AnswerKey, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    finishing: bool = False

    def add(self, at: float, video: int, keys: Sequence[AnswerKey], decode_s: float) -> None:
        """Queue a video for decoding."""
        self.decoders.sort()
        self.decoders[0] = max(at, self.decoders[0]) + decode_s
        self.ready.append((self.decoders[0], video, keys))
        self.ready = deque(sorted(self.ready))

    def next_time(self) -> float | None:
        """Return when something happens next, None if nothing does."""
        if self.running or self.waiting:
            return self.now
        return max(self.now, self.ready[0][0]) if self.ready else None

    def step(self, work: Work) -> list[AnswerKey]:
        """Admit, prefill and generate one token; return what is finished."""
        start = self.next_time()
        assert start is not None
        self.now = start
        while self.ready and self.ready[0][0] <= self.now:
            _, video, keys = self.ready.popleft()
            self.waiting.extend((key, video) for key in keys)
        admitted_s = 0.0
        while self.waiting and len(self.running) < BATCH and admitted_s < 0.3:
            key, video = self.waiting.popleft()
            if video not in self.seen:
                self.seen.add(video)
                admitted_s += FRAME_S * work.shape.frames
            admitted_s += QUESTION_S
            self.running[key] = work.tokens[key]
        self.now += admitted_s + STEP_S + STEP_PER_QUESTION_S * len(self.running)
        done = [key for key, left in self.running.items() if left == 1]
        self.running = {key: left - 1 for key, left in self.running.items() if left > 1}
        return done


class SimulatedFleet:
    """Replicas in simulated time; `own_s` is the processor time of the simulation itself."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._video_of = work.video_of()
        self._record = record(0, 1.0, Outcome.CORRECT)
        self.engines: dict[str, Engine] = {}
        self.clock = 0.0
        self.own_s = 0.0
        self._pending: list[tuple[str, Event]] = []
        self._heap: list[tuple[float, str]] = []

    def start(self, name: str) -> None:
        self.engines[name] = Engine()
        self._pending += [
            (name, Joined(pixels="p", where=name, versions={})),
            (name, Spoke(text="4")),
        ]

    def can_replace(self) -> bool:
        return False

    def call(self, name: str, method: str, *arguments: Any) -> None:
        began = time.process_time()
        engine = self.engines[name]
        if method == "lease":
            for keys in arguments[0]:
                video = self._video_of[keys[0]]
                engine.add(self.clock, video, keys, self._work.decode_s[video])
            engine.now = max(engine.now, self.clock) if not engine.running else engine.now
            self._schedule(name)
        elif method == "finish":
            self._pending.append((name, _ended()))
        self.own_s += time.process_time() - began

    def wait(self, timeout_s: float) -> Sequence[tuple[str, Event]]:
        began = time.process_time()
        try:
            while not self._pending and self._heap:
                at, name = heapq.heappop(self._heap)
                engine = self.engines[name]
                if engine.next_time() is None or (engine.next_time() or 0.0) > at + 1e-9:
                    self._schedule(name)
                    continue
                self.clock = max(self.clock, at)
                done = engine.step(self._work)
                self._pending += [
                    (name, Answered(record=replace(self._record, id=key[1]))) for key in done
                ]
                if done:
                    self.clock = max(self.clock, engine.now)
                self._schedule(name)
            found, self._pending = self._pending, []
            return found
        finally:
            self.own_s += time.process_time() - began

    def drop(self, name: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _schedule(self, name: str) -> None:
        at = self.engines[name].next_time()
        if at is not None:
            heapq.heappush(self._heap, (at, name))


def _ended() -> Ended:
    decode = DecodeCounts(workers=0, decodes=0, cache_hits=0, busy_s=0, peak_bytes=0)
    return Ended(text="4", pixels="p", start_s=0, answer_s=0, decode=decode, engine=EngineStats())


class Writer:
    """The listener: appends to a real run directory."""

    def __init__(self, run: RunWriter) -> None:
        self._run = run

    def answered(self, name: str, answer: Answered) -> None:
        self._run.append(answer.record)

    def failed(self, questions: Sequence[AnswerKey], reason: str) -> None:
        raise AssertionError(reason)

    def begun(self) -> None:
        pass

    def warn(self, message: str) -> None:
        raise AssertionError(message)


@dataclass(frozen=True)
class Measured:
    """One simulated run."""

    replicas: int
    seconds: float
    """Simulated."""
    idle_s: float
    """From the first replica's end to the last one's."""
    encodings: int
    driver_ms: float
    """Processor time of driver, book and writer per item."""


def simulate(work: Work, replicas: int) -> Measured:
    """Answer a benchmark with some replicas."""
    fleet = SimulatedFleet(work)
    with tempfile.TemporaryDirectory() as folder, RunWriter(Path(folder), {"schema": 1}) as run:
        began = time.process_time()
        book = LeaseBook(work.videos, ahead=2 * BATCH, expected=replicas)
        Driver(book, fleet, Writer(run), pixels="p").run([f"r{n}" for n in range(replicas)])
        used = time.process_time() - began - fleet.own_s
        assert len(run.records) == work.shape.questions
    ends = [engine.now for engine in fleet.engines.values()]
    return Measured(
        replicas, max(ends) - START_S, max(ends) - min(ends),
        sum(len(engine.seen) for engine in fleet.engines.values()),
        1000 * used / work.shape.questions,
    )  # fmt: skip


def longest_alone(work: Work) -> float:
    """Return the time of the video that takes longest alone on a replica, once it is decoded."""
    times = []
    for number, keys in enumerate(work.videos):
        engine = Engine()
        engine.add(0.0, number, keys, 0.0)
        while engine.next_time() is not None:
            engine.step(work)
        times.append(engine.now)
    return max(times) - START_S


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Print one table per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="*", default=COUNTS)
    args = parser.parse_args()
    for shape in SHAPES:
        work = draw(shape)
        longest = longest_alone(work)
        alone = simulate(work, 1)
        say(f"{shape.name}: {alone.seconds:.0f} s on one, longest video {longest:.1f} s")
        say("replicas  seconds  bound  efficiency  uneven s  encodings  driver ms/item")
        for count in args.replicas:
            one = simulate(work, count)
            bound = max(alone.seconds / count, longest)
            say(
                f"{count:8} {one.seconds:8.1f} {bound:6.1f} {bound / one.seconds:11.3f}"
                f" {one.idle_s:9.1f} {one.encodings:10} {one.driver_ms:15.3f}"
            )
    say(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
