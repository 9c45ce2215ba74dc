"""Several runs on one engine: one start, one decoding per video, a run directory for each."""

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.errors import TooManyFailuresError
from harness.run.config import DecodeConfig
from harness.run.failure_watch import FailureLimits
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.store import read_records
from harness.run.together import Member, evaluate_together
from harness.schema import Failure, Media, Outcome, Variant
from tests.clips import write_clip
from tests.toys import planned, sample

ORDERS = (Variant.ORDERED, Variant.SHUFFLED, Variant.SINGLE, Variant.BLIND)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two videos of numbered frames."""
    folder = tmp_path_factory.mktemp("videos")
    return [write_clip(folder / f"{name}.mp4") for name in "ab"]


def _members(folder, videos, orders=ORDERS):
    samples = [sample(n, (Media(path=Path(videos[n // 2])),)) for n in range(4)]
    asked = planned(samples)
    members = []
    for order in orders:
        frames = replace(asked.frames, order=order)
        plan = Plan((replace(asked, protocol=replace(asked.protocol, frames=frames)),))
        manifest = {"schema": 2, "checkpoint": {}, **plan.identity()}
        members.append(Member(name=order, plan=plan, out=folder / order, manifest=manifest))
    return members


class Engine:
    """A fake engine that counts its starts and keeps what it is asked."""

    def __init__(self, answer=lambda request: "<answer>A</answer>"):
        self.starts, self.asked, self._answer = 0, [], answer

    def build(self):
        self.starts += 1
        return FakeBackend(self._note)

    def _note(self, request):
        self.asked.append(request)
        return self._answer(request)


def _evaluate(engine, members, folder, limits=None, observer=None):
    resolved = ResolvedEngine(
        backend="fake", checkpoint="x", identity={}, patch_multiple=28, build=engine.build
    )
    return evaluate_together(
        members,
        resolved,
        folder,
        decoding=DecodeConfig(workers=2),
        observer=observer or RunObserver(),
        limits=limits,
    ).timing


def test_all_runs_share_one_engine_start_and_one_decoding_per_video(tmp_path, videos):
    """Sixteen questions in four orders: one start, two decodes, sixteen records."""
    engine = Engine()
    timing = _evaluate(engine, _members(tmp_path, videos), tmp_path)
    assert (engine.starts, timing.decode.decodes, timing.items) == (1, 2, 16)
    for order in ORDERS:
        records = read_records(tmp_path / order)
        assert {r.id for r in records} == {f"toy/{n}" for n in range(4)}
        assert {r.variant for r in records} == {order}
        assert (tmp_path / order / "summary.json").exists()


def test_each_run_sees_the_frames_in_its_own_order(tmp_path, videos):
    """Ordered frames rise, one is one, blind is none, and shuffled ones are a permutation."""
    engine = Engine()
    _evaluate(engine, _members(tmp_path, videos), tmp_path)
    seen = {(r.run, r.id): [i for clip in r.clips for i in clip.indices] for r in engine.asked}
    ordered = seen["ordered", "toy/0"]
    assert ordered == sorted(ordered)
    assert sorted(seen["shuffled", "toy/0"]) == ordered != seen["shuffled", "toy/0"]
    assert seen["single", "toy/0"] == [ordered[len(ordered) // 2]]
    assert seen["blind", "toy/0"] == []


def test_the_questions_of_a_video_follow_each_other_whichever_run_asks(tmp_path, videos):
    """With frames, all questions of one video come before the first of the other."""
    engine = Engine()
    _evaluate(engine, _members(tmp_path, videos), tmp_path)
    of_video = [int(r.id[-1]) // 2 for r in engine.asked if r.clips]
    assert len(of_video) == 12
    assert sum(a != b for a, b in itertools.pairwise(of_video)) == 1


def test_a_resumed_evaluation_asks_what_each_run_lacks(tmp_path, videos):
    """A failed item of one run and the items of a run that is new; nothing else is asked."""

    def answer(request):
        down = request.run == "shuffled" and request.id == "toy/3"
        return Failure(stage="generate", error="X", message="x") if down else "A"

    _evaluate(Engine(answer), _members(tmp_path, videos, ORDERS[:2]), tmp_path)
    engine = Engine()
    _evaluate(engine, _members(tmp_path, videos, ORDERS[:3]), tmp_path)
    assert Counter(r.run for r in engine.asked) == {"shuffled": 1, "single": 4}
    last = {r.id: r for r in read_records(tmp_path / "shuffled")}["toy/3"]
    assert last.outcome is not Outcome.FAILED


def test_finished_runs_start_no_engine(tmp_path, videos):
    """The same call again is a no-op."""
    _evaluate(Engine(), _members(tmp_path, videos), tmp_path)
    engine = Engine()
    assert _evaluate(engine, _members(tmp_path, videos), tmp_path) is None
    assert engine.starts == 0


def test_a_run_that_is_alone_keeps_its_timing_and_one_of_several_has_none(tmp_path, videos):
    """The time of several runs cannot be divided among them."""
    _evaluate(Engine(), _members(tmp_path / "one", videos, ORDERS[:1]), tmp_path)
    _evaluate(Engine(), _members(tmp_path / "two", videos, ORDERS[:2]), tmp_path)
    summary = {
        n: json.loads((tmp_path / n / "ordered/summary.json").read_text()) for n in ("one", "two")
    }
    assert "timing" in summary["one"]
    assert "timing" not in summary["two"]


def test_failures_of_all_runs_together_end_the_evaluation(tmp_path, videos):
    """Equal failures in a row stop it, whichever run they are of; the directories can go on."""
    down = Failure(stage="generate", error="X", message="down")
    limits = FailureLimits(stop_after=5)
    with pytest.raises(TooManyFailuresError, match="stopped after 5 equal failures"):
        _evaluate(Engine(lambda r: down), _members(tmp_path, videos), tmp_path, limits)
    timing = _evaluate(Engine(), _members(tmp_path, videos), tmp_path)
    assert timing.items == 16


def test_an_observer_hears_of_each_run_by_its_name(tmp_path, videos):
    """Totals are those of all runs, plans and records are told run by run."""

    class Part(RunObserver):
        def __init__(self):
            self.planned, self.records = 0, 0

        def plan(self, plan, finished):
            self.planned += len(plan.samples)

        def record(self, record):
            self.records += 1

    class Whole(RunObserver):
        def __init__(self):
            self.parts = {order: Part() for order in ORDERS}
            self.total = 0

        def begin(self, folder, *, total, done):
            self.total = total

        def of_run(self, run):
            return self.parts[run]

    whole = Whole()
    _evaluate(Engine(), _members(tmp_path, videos), tmp_path, observer=whole)
    assert whole.total == 16
    assert {(p.planned, p.records) for p in whole.parts.values()} == {(4, 4)}
