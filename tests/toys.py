"""A benchmark small enough to keep in your head, for tests of everything around benchmarks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.run.plan import PlannedTask
from harness.schema import FramePolicy, Kind, Media, Outcome, Prompt, Record, Sample, Sampling
from harness.scoring.rules import score_video_r1
from harness.task.api import (
    Aggregation,
    Questions,
    Scorer,
)
from harness.task.protocol import Protocol

MICRO = Aggregation(name="micro", levels=lambda category: ())


class ToyTask:
    """Two-option questions; the gold answer of every third one is B."""

    name = "toy"
    version = 1
    title = "Toy"
    homepage = "nowhere"
    source = None

    def __init__(self, samples: Sequence[Sample] = ()) -> None:
        self._samples = tuple(samples)

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        return {
            "video-r1": Scorer(name="video-r1", version=1, score=score_video_r1, aggregation=MICRO)
        }

    def load(self, data: Path) -> Questions:
        return Questions(samples=self._samples, files=())

    def protocol(self, suite: str) -> Protocol:
        return Protocol(
            suite=suite,
            task="toy@1",
            template=suite,
            frames=FramePolicy(max_frames=4, min_pixels=28 * 28, max_pixels=56 * 56),
            sampling=Sampling(temperature=0.0, max_tokens=16),
            scorer="video-r1@1",
        )

    def prompt(self, sample: Sample, template: str) -> Prompt:
        return Prompt(text=sample.question)

    def with_llm_judge(self, base_url: str, model: str) -> None:
        return None

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        return {}


def sample(number: int, media: tuple[Media, ...] = (), cluster: str = "") -> Sample:
    """Return the toy question of a number."""
    return Sample(
        id=f"toy/{number}",
        task="toy",
        question=f"question {number}",
        answer="B" if number % 3 == 0 else "A",
        kind=Kind.MULTIPLE_CHOICE,
        category="even" if number % 2 == 0 else "odd",
        cluster=cluster or f"video {number // 2}",
        options=("yes", "no"),
        media=media,
    )


def planned(samples: Sequence[Sample]) -> PlannedTask:
    """Plan the toy task over some samples."""
    task = ToyTask(samples)
    return PlannedTask(
        selection="toy",
        task=task,
        protocol=task.protocol("video-r1"),
        scorer=task.scorers["video-r1"],
        samples=tuple(samples),
        fingerprint="none",
    )


def engine_that_waits_for(frames: Path | None) -> ResolvedEngine:
    """Return a fake engine whose start ends when decoded frames are in a frame cache."""

    def build() -> FakeBackend:
        assert frames is not None
        end = time.monotonic() + 60
        while not list(frames.rglob("*.frames")):
            assert time.monotonic() < end, "nothing was decoded while the engine started"
            time.sleep(0.01)
        return FakeBackend(lambda request: "<answer>A</answer>")

    return ResolvedEngine(
        backend="fake", checkpoint="slow", identity={"kind": "fake"}, patch_multiple=28, build=build
    )


def record(number: int, value: float | None = 1.0, outcome: Outcome = Outcome.CORRECT) -> Record:
    """Return a finished record of the toy question of a number."""
    asked = sample(number)
    return Record(
        id=asked.id,
        task="toy",
        variant="ordered",
        cluster=asked.cluster,
        category=asked.category,
        outcome=outcome,
        value=value,
        answer="A",
        gold=asked.answer,
        scorer="video-r1@1",
        text="<answer>A</answer>",
    )
