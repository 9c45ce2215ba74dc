"""An evaluation by replicas, on threads: what is written when one of them goes wrong."""

from __future__ import annotations

import json
import threading

from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.replicas.threads import ThreadFleet
from harness.run.config import DecodeConfig
from harness.run.evaluate import evaluate_plan
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.replica import EvalReplica
from harness.run.replicated import Squad
from harness.run.store import read_records
from harness.schema import Outcome
from tests.toys import planned, sample

PLAN = Plan((planned([sample(n) for n in range(24)]),))
MANIFEST = {"schema": 2, "checkpoint": {}, **PLAN.identity()}
BOTH = 2


def engine(answer) -> ResolvedEngine:
    return ResolvedEngine(
        backend="fake", checkpoint="toy", identity={"kind": "fake"}, patch_multiple=28,
        build=lambda: FakeBackend(answer),
    )  # fmt: skip


class Warnings(RunObserver):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, message):
        self.heard.append(message)


def evaluate(out, *answers) -> list[str]:
    """Answer the plan with one replica per function; return the warnings."""
    names = tuple(f"r{n}" for n in range(len(answers)))
    decoding = DecodeConfig(workers=1)

    def fleet(clip):
        def builder(name, answer):
            return lambda: EvalReplica(lambda: (PLAN, engine(answer)), decoding, clip, where=name)

        return ThreadFleet(
            {name: builder(name, answer) for name, answer in zip(names, answers, strict=True)}
        )

    observer = Warnings()
    evaluate_plan(
        PLAN, engine(answers[0]), out, manifest=MANIFEST, decoding=decoding,
        observer=observer, squad=lambda: Squad(names=names, fleet=fleet, ahead=4),
    )  # fmt: skip
    return observer.heard


def silent_after(count):
    """Return an answer function that says nothing after so many answers, and one that waits."""
    asked, silent = [], threading.Event()

    def fades(request):
        asked.append(request.id)
        if len(asked) <= count:
            return "<answer>A</answer>"
        silent.set()
        return ""

    def waits(request):
        if request.id != "canary":
            assert silent.wait(60)
        return "<answer>A</answer>"

    return fades, waits


def test_empty_answers_of_a_replica_that_fell_silent_are_failures_and_asked_again(tmp_path):
    """Those before it fell silent stand; the same command asks the others, once."""
    warnings = evaluate(tmp_path, *silent_after(4))  # the canary and three items
    failed = [one for one in read_records(tmp_path) if one.outcome is Outcome.FAILED]
    assert failed
    assert {one.failure.error for one in failed} == {"SilentReplicaError"}
    assert any("replica r0 says nothing any more" in one for one in warnings)
    accounts = json.loads((tmp_path / "summary.json").read_text())["replicas"]
    assert accounts[0]["items"] == len(failed) + 3
    asked: list[str] = []

    def sound(request):
        asked.append(request.id)
        return "<answer>A</answer>"

    evaluate(tmp_path, sound)
    again = read_records(tmp_path)
    assert len(again) == 24
    assert all(one.text for one in again)
    assert sorted(set(asked) - {"canary"}) == sorted(one.id for one in failed)


def test_the_account_of_a_replica_has_its_items_and_times(tmp_path):
    """Items add up to the run's; every replica has a time of answering that is measured."""
    evaluate(tmp_path, *[lambda request: "<answer>A</answer>"] * BOTH)
    accounts = json.loads((tmp_path / "summary.json").read_text())["replicas"]
    assert sum(one["items"] for one in accounts) == 24
    assert [one["lost"] for one in accounts] == [None] * BOTH
    timing = json.loads((tmp_path / "summary.json").read_text())["timing"]
    spans = [one["answer_s"] for one in accounts if one["items"]]
    assert all(0 < span <= timing["answer_s"] + 0.5 for span in spans)
