"""Measures how evenly leases spread a benchmark over replicas, in simulated time.

    python -m tests.bench.bench_replicas

The driver, the lease book and the writer of records are the real ones; `replica_model` has the
replicas. The bound is the larger of two times: what one engine takes that has all videos from the
start and no driver, divided by the replicas' speeds; and what the longest video takes alone once
it is decoded. Efficiency is the bound divided by the time taken. It is above 1 where videos wait
for their decoding: more replicas have more decode processes, which begin while the engines start.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.replicas.driver import Driver
from harness.replicas.fleet import Answered, Spoke
from harness.replicas.leases import LeaseBook
from harness.replicas.standing import ReplicaState
from harness.run.store import RunWriter
from harness.schema import AnswerKey
from tests.bench.replica_model import BATCH, START_S, Engine, Shape, SimulatedFleet, Work, draw

COUNTS = (1, 2, 4, 8, 16, 64)
SHAPES = (
    Shape("VSI-Bench, official (16 tokens)", 288, 5130, 32, 16, (0.5, 5)),
    Shape("VSI-Bench, reasoning (300 tokens)", 288, 5130, 32, 300, (0.5, 5)),
    Shape("Video-MME, official (16 tokens)", 900, 2700, 64, 16, (0.2, 60)),
)
UNEVEN = {
    "8 replicas, one at half speed": (0.5,) + 7 * (1.0,),
    "16 replicas, one at half speed": (0.5,) + 15 * (1.0,),
    "16 replicas within 10 %": 2 * (0.9, 0.95, 1.0, 1.05, 0.92, 1.02, 0.97, 1.0),
}


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

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        pass

    def unproven(self, name: str, answers: Sequence[Answered]) -> None:
        raise AssertionError(name)


@dataclass(frozen=True)
class Measured:
    """One simulated run."""

    seconds: float
    """Simulated, from the start of the engines to the last answer."""
    lost_s: float
    """Mean time of a replica between its last answer and the last one of all."""
    encodings: int
    driver_ms: float
    """Processor time of driver, book and writer per item."""


def simulate(work: Work, speeds: Sequence[float]) -> Measured:
    """Answer a benchmark with replicas of these speeds."""
    fleet = SimulatedFleet(work, speeds)
    with tempfile.TemporaryDirectory() as folder, RunWriter(Path(folder), {"schema": 1}) as run:
        began = time.process_time()
        book = LeaseBook(work.videos, ahead=2 * BATCH, expected=len(speeds))
        Driver(book, fleet, Writer(run), pixels="p").run([f"r{n}" for n in range(len(speeds))])
        used = time.process_time() - began - fleet.own_s
        assert len(run.records) == work.shape.questions
    ends = [max(engine.last, START_S) for engine in fleet.engines.values()]
    return Measured(
        max(ends) - START_S,
        max(ends) - sum(ends) / len(ends),
        sum(len(engine.seen) for engine in fleet.engines.values()),
        1000 * used / work.shape.questions,
    )


def one_process(work: Work) -> float:
    """Return the time of one engine that has all videos from the start, without a driver."""
    fleet = SimulatedFleet(work)
    fleet.start("alone")
    fleet.call("alone", "lease", work.videos)
    while told := fleet.wait(0.0):
        if isinstance(told[0][1], Spoke):
            fleet.call("alone", "begin")
    assert not fleet.engines["alone"].open
    return fleet.engines["alone"].last - START_S


def longest_alone(work: Work) -> float:
    """Return the time of the video that takes longest alone on a replica, once it is decoded."""
    times = []
    for number, keys in enumerate(work.videos):
        engine, seconds = Engine(), 0.0
        engine.ready.extend((key, number) for key in keys)
        engine.open[number] = len(keys)
        while (step := engine.begin_step(work)) is not None:
            seconds += step
            engine.end_step(work)
        times.append(seconds)
    return max(times)


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")


def report(work: Work, counts: Sequence[int]) -> None:
    """Print the table of one shape."""
    alone, longest = one_process(work), longest_alone(work)
    say(f"{work.shape.name}: {alone:.0f} s in one process, longest video {longest:.1f} s")
    say("  seconds   bound  efficiency  end-game s  encodings  driver ms/item  replicas")
    cases = {f"{count}": (1.0,) * count for count in counts} | UNEVEN
    for label, speeds in cases.items():
        one = simulate(work, speeds)
        bound = max(alone / sum(speeds), longest)
        say(
            f"{one.seconds:9.1f} {bound:7.1f} {bound / one.seconds:11.3f} {one.lost_s:11.1f}"
            f" {one.encodings:10} {one.driver_ms:15.3f}  {label}"
        )


def main() -> int:
    """Print one table per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--seed", type=int, default=0, help="of the drawn videos and answers")
    args = parser.parse_args()
    for shape in SHAPES:
        report(draw(shape, args.seed), args.replicas)
    say(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
