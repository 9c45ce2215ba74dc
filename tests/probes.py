"""Probes of the demo's questions with engines that know what they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backends.engine_config import EngineConfig
from harness.backends.fake import AnswerFunction, FakeBackend
from harness.probe.config import ProbeConfig
from harness.probe.run import ProbeOutcome, prepare_probe, run_probe
from harness.run.config import DecodeConfig, EvalConfig
from harness.run.observer import RunObserver
from harness.run.plan import make_plan
from harness.schema import Request

TASKS = ("vsibench", "tempcompass")


class CountingEngine:
    """Counts its starts and what it is asked, by run."""

    def __init__(self, answer: AnswerFunction = lambda request: "<answer>A</answer>") -> None:
        self.starts = 0
        self.asked: Counter[str] = Counter()
        self._answer = answer

    def build(self) -> FakeBackend:
        """Return an engine."""
        self.starts += 1
        return FakeBackend(self._note)

    def _note(self, request: Request) -> Any:
        self.asked[request.run] += 1
        return self._answer(request)


def probe_config(data: Path, out: Path, **changes: Any) -> ProbeConfig:
    """Return settings of a small probe: eight questions of each benchmark, four small frames."""
    settings: dict[str, Any] = {
        "tasks": TASKS, "data": data, "out": out, "limit": 8, "max_frames": 4,
        "max_pixels": 56 * 56, "engine": EngineConfig(backend="fake"),
        "decode": DecodeConfig(workers=2),
    }  # fmt: skip
    return ProbeConfig(**settings | changes)


def probe_with(
    config: ProbeConfig, engine: CountingEngine | None = None, name: str = "model"
) -> tuple[ProbeOutcome, CountingEngine]:
    """Run a probe with an engine of our own; return what it found, and the engine."""
    engine = engine or CountingEngine()
    probe = prepare_probe(name, config, ["probe"])
    job = replace(probe.job, engine=replace(probe.job.engine, build=engine.build))
    return run_probe(replace(probe, job=job), RunObserver()), engine


def gold_where(data: Path, knows: Callable[[Request], bool]) -> AnswerFunction:
    """Return a function that answers from a table of gold answers where a request is known."""
    plan = make_plan(EvalConfig(tasks=TASKS, data=data))
    gold = {sample.id: sample.answer for sample in plan.samples}
    return lambda request: f"<answer>{gold[request.id] if knows(request) else 'nothing'}</answer>"


def is_in_order(request: Request) -> bool:
    """Return whether several frames are shown and rise in time."""
    frames = [index for clip in request.clips for index in clip.indices]
    return len(frames) > 1 and frames == sorted(frames)
