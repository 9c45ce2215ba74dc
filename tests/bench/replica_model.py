"""Models replicas in simulated time: GPUs whose steps take as long as an 8B model's on an H100.

The model keeps to what a replica really does. Its decode pool takes a lease when one of its
processes is free and the frames fit in memory, also while the engine starts. The engine gets
questions in the order in which their videos are decoded, and holds a batch and a few more. A video
is encoded and prefilled once, each question adds a short prefill, and every step gives one token to
each question of the batch. Events reach the driver, and its calls the replica, some milliseconds
later.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.backends.base import EngineStats
from harness.replicas.fleet import Answered, Decoding, Ended, Event, Joined, Read, Spoke
from harness.schema import AnswerKey, Outcome
from harness.video.pool import DecodeCounts
from tests.toys import record

BATCH = 256
WAITING = 8
"""Questions that the engine holds besides its batch."""
DECODERS = 4
FRAMES_IN_MEMORY = 9000
"""The default look-ahead of 4 GiB at 336 x 448 pixels."""
QUESTION_S = 0.004
"""Prefill of a question behind a cached video: about 60 tokens."""
STEP_S, STEP_PER_QUESTION_S = 0.012, 0.00005
"""12 ms for one question, 25 ms for 256."""
FRAME_S = 0.018
"""Encoding and prefill of a frame of about 200 tokens."""
PREFILL_S = 0.3
"""Prefill after which a step admits no further question: the budget of tokens per step."""
DECODE_PER_MINUTE_S = 1.0
START_S = 30.0
"""Start of an engine; videos are decoded meanwhile. Times count from its end."""
MESSAGE_S = 0.003
"""From a replica to the driver, and back."""
POLL_S = 0.1
"""How often a replica looks what its engine has read."""


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
    """One replica; times of the future go to the fleet's agenda."""

    speed: float = 1.0
    inbox: deque[tuple[int, Sequence[AnswerKey]]] = field(default_factory=deque)
    decoding: int = 0
    frames: int = 0
    """In memory, decoded or about to be."""
    open: dict[int, int] = field(default_factory=dict)
    """Open questions of the videos in memory."""
    ready: deque[tuple[AnswerKey, int]] = field(default_factory=deque)
    """Questions whose videos are decoded."""
    waiting: deque[tuple[AnswerKey, int]] = field(default_factory=deque)
    running: dict[AnswerKey, tuple[int, int]] = field(default_factory=dict)
    """Tokens that are left, and the video, of each question in the batch."""
    seen: set[int] = field(default_factory=set)
    """Videos that were encoded."""
    untold: list[AnswerKey] = field(default_factory=list)
    """The first questions of videos whose reading the driver does not know of."""
    started: bool = False
    stepping: bool = False
    last: float = 0.0
    """When the last answer was given."""

    def next_to_decode(self, work: Work) -> tuple[int, Sequence[AnswerKey]] | None:
        """Take a lease if a decode process is free and its frames fit."""
        fits = not self.open or self.frames + work.shape.frames <= FRAMES_IN_MEMORY
        if not self.inbox or self.decoding >= DECODERS or not fits:
            return None
        video, keys = self.inbox.popleft()
        self.decoding += 1
        self.frames += work.shape.frames
        self.open[video] = self.open.get(video, 0) + len(keys)
        return video, keys

    def begin_step(self, work: Work) -> float | None:
        """Admit and prefill; return how long the step takes, None if there is nothing to do."""
        while self.ready and len(self.waiting) + len(self.running) < BATCH + WAITING:
            self.waiting.append(self.ready.popleft())
        prefill_s = 0.0
        while self.waiting and len(self.running) < BATCH and prefill_s < PREFILL_S:
            key, video = self.waiting.popleft()
            if video not in self.seen:
                self.seen.add(video)
                self.untold.append(key)
                prefill_s += FRAME_S * work.shape.frames
            prefill_s += QUESTION_S
            self.running[key] = work.tokens[key], video
        if not self.running:
            return None
        return (prefill_s + STEP_S + STEP_PER_QUESTION_S * len(self.running)) / self.speed

    def end_step(self, work: Work) -> list[AnswerKey]:
        """Give every question of the batch a token; return those that are finished."""
        done = [(key, video) for key, (left, video) in self.running.items() if left == 1]
        self.running = {
            key: (left - 1, video) for key, (left, video) in self.running.items() if left > 1
        }
        for _, video in done:
            self.open[video] -= 1
            if not self.open[video]:
                del self.open[video]
                self.frames -= work.shape.frames
        return [key for key, _ in done]


class SimulatedFleet:
    """Replicas in simulated time; `own_s` is the processor time of the simulation itself."""

    def __init__(self, work: Work, speeds: Sequence[float] = ()) -> None:
        self._work = work
        self._video_of = work.video_of()
        self._record = record(0, 1.0, Outcome.CORRECT)
        self._speeds = iter(speeds)
        self.engines: dict[str, Engine] = {}
        self.clock = 0.0
        self.own_s = 0.0
        self._agenda: list[tuple[float, int, str, str, Any]] = []
        self._order = itertools.count()

    def start(self, name: str) -> None:
        self.engines[name] = Engine(next(self._speeds, 1.0))
        self._plan(0.0, name, "tell", Joined(pixels="p", where=name, versions={}))
        self._plan(START_S, name, "started")

    def can_replace(self) -> bool:
        return False

    def call(self, name: str, method: str, *arguments: Any) -> None:
        self._plan(MESSAGE_S, name, method, *arguments)

    def wait(self, timeout_s: float) -> Sequence[tuple[str, Event]]:
        began = time.process_time()
        try:
            while self._agenda:
                at, _, name, what, argument = heapq.heappop(self._agenda)
                self.clock = at
                if what == "tell":
                    return [(name, argument)]
                self._happen(name, what, argument)
            return []
        finally:
            self.own_s += time.process_time() - began

    def drop(self, name: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _plan(self, after_s: float, name: str, what: str, argument: Any = None) -> None:
        entry = (self.clock + after_s, next(self._order), name, what, argument)
        heapq.heappush(self._agenda, entry)

    def _happen(self, name: str, what: str, argument: Any) -> None:
        engine = self.engines[name]
        if what == "lease":
            engine.inbox.extend((self._video_of[keys[0]], keys) for keys in argument)
        elif what == "started":
            self._plan(MESSAGE_S, name, "tell", Spoke(text="4"))
        elif what == "begin":
            engine.started = True
        elif what == "finish":
            self._plan(MESSAGE_S, name, "tell", _ended())
        elif what == "decoded":
            video, keys = argument
            engine.decoding -= 1
            engine.ready.extend((key, video) for key in keys)
        elif what == "step":
            self._end_step(name, engine)
        self._go_on(name, engine)

    def _go_on(self, name: str, engine: Engine) -> None:
        while (lease := engine.next_to_decode(self._work)) is not None:
            self._plan(MESSAGE_S, name, "tell", Decoding(question=lease[1][0]))
            self._plan(self._work.decode_s[lease[0]], name, "decoded", lease)
        if engine.started and not engine.stepping:
            seconds = engine.begin_step(self._work)
            if seconds is not None:
                engine.stepping = True
                self._plan(seconds, name, "step")

    def _end_step(self, name: str, engine: Engine) -> None:
        engine.stepping = False
        after_s = POLL_S - self.clock % POLL_S + MESSAGE_S
        for question in engine.untold:
            self._plan(after_s, name, "tell", Read(question=question))
        engine.untold.clear()
        for key in engine.end_step(self._work):
            engine.last = self.clock
            one = replace(self._record, id=key[1])
            self._plan(MESSAGE_S, name, "tell", Answered(record=one))


def _ended() -> Ended:
    decode = DecodeCounts(workers=0, decodes=0, cache_hits=0, busy_s=0, peak_bytes=0)
    return Ended(text="4", pixels="p", start_s=0, answer_s=0, decode=decode, engine=EngineStats())
