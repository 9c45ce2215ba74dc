"""The evaluation loop: every item is answered once, and what goes wrong costs one item."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.backends.fake import FakeBackend
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.runner import (
    Runner,
    make_record,
)
from harness.run.store import RunWriter
from harness.schema import (
    Clip,
    Completion,
    Failure,
    Media,
    MediaKind,
    Outcome,
    Prompt,
    Score,
    Variant,
)
from tests.toys import ToyTask, planned, sample

MANIFEST = {
    "schema": 1, "checkpoint": {}, "protocol": {"toy": {}},
    "data": {"toy": {"items": 3, "sha256": "f00d"}},
}  # fmt: skip


class FakePool:
    """Decodes nothing: four numbered frames for every medium, a failure for ``bad`` ones."""

    def __init__(self) -> None:
        self.decoded = Counter()
        self.released = Counter()

    def release(self, job):
        if job.media:
            self.released[str(job.media[0].path)] += 1

    def decode(self, jobs):
        for job in jobs:
            if not job.media:
                yield job, ()
                continue
            path = str(job.media[0].path)
            self.decoded[path] += 1
            if "bad" in path:
                yield job, Failure(stage="media", error="MediaError", message=f"{path}: damaged")
            else:
                yield job, (_clip(path),)


def _clip(key):
    frames = np.stack([np.full((28, 56, 3), number, dtype=np.uint8) for number in range(4)])
    return Clip(
        key=key,
        kind=MediaKind.VIDEO,
        frames=frames,
        indices=(0, 10, 20, 30),
        timestamps=(0.0, 1.0, 2.0, 3.0),
        fps=10.0,
        total_frames=31,
        duration_s=3.1,
        decode_s=0.5,
    )


def _samples(count, name="good"):
    return [sample(n, (Media(path=Path(f"{name}{n // 3}.mp4")),)) for n in range(count)]


class Seen(RunObserver):
    """Keeps the records that it is told of."""

    def __init__(self, records):
        self._records = records

    def record(self, record):
        self._records.append(record)


def _run(folder, samples, answer, pool=None, seen=None):
    pool = pool or FakePool()
    with RunWriter(folder, MANIFEST) as run:
        observer = Seen([] if seen is None else seen)
        runner = Runner(Plan((planned(samples),)), run, observer, patch_multiple=28)
        runner.run(FakeBackend(answer), pool)
        return {sample_id: record for (sample_id, _), record in run.records.items()}


def test_every_item_is_answered_scored_and_recorded_once(tmp_path):
    """Gold answers make a perfect score and each item is reported once."""
    samples = _samples(9)
    gold = {s.id: s.answer for s in samples}
    seen = []
    records = _run(tmp_path, samples, lambda r: f"<answer>{gold[r.id]}</answer>", seen=seen)
    assert {r.outcome for r in records.values()} == {Outcome.CORRECT}
    assert Counter(r.id for r in seen) == Counter(s.id for s in samples)


def test_one_decoding_serves_all_questions_of_a_video(tmp_path):
    """Nine questions on three videos decode three times."""
    pool = FakePool()
    _run(tmp_path, _samples(9), lambda r: "A", pool)
    assert pool.decoded == {"good0.mp4": 1, "good1.mp4": 1, "good2.mp4": 1}


def test_the_frames_of_a_video_are_freed_with_its_last_question(tmp_path):
    """Every job is given back once; undecodable ones hold nothing and may be given back too."""
    pool = FakePool()
    _run(tmp_path, _samples(9), lambda r: "A", pool)
    assert pool.released == pool.decoded


def test_a_policy_of_whole_videos_decodes_each_once_whatever_the_spans(tmp_path):
    """Questions about different spans of a video share its frames when spans are ignored."""
    spans = [Media(path=Path("good.mp4"), start_s=n, end_s=n + 1) for n in range(3)]
    samples = [sample(n, (media,)) for n, media in enumerate(spans)]
    plan = planned(samples)
    frames = dataclasses.replace(plan.protocol.frames, whole=True)
    plan = dataclasses.replace(plan, protocol=dataclasses.replace(plan.protocol, frames=frames))
    pool = FakePool()
    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(Plan((plan,)), run, RunObserver(), patch_multiple=28).run(
            FakeBackend(lambda r: "A"), pool
        )
        assert len(run.records) == 3
    assert pool.decoded == {"good.mp4": 1}


def test_the_record_tells_which_frames_were_seen(tmp_path):
    """Indices, times, size and decode time of every clip are written down."""
    record = _run(tmp_path, _samples(1), lambda r: "A")["toy/0"]
    assert record.frame_indices == ((0, 10, 20, 30),)
    assert record.timestamps == ((0.0, 1.0, 2.0, 3.0),)
    assert record.frame_size == ((56, 28),)
    assert record.decode_s == 0.5


def test_a_damaged_video_fails_its_own_questions_only(tmp_path):
    """Its items are FAILED with the reason; every other item is scored."""
    samples = [*_samples(3), *(sample(n, (Media(path=Path("bad.mp4")),)) for n in (7, 8))]
    records = _run(tmp_path, samples, lambda r: "A")
    failed = [r for r in records.values() if r.outcome is Outcome.FAILED]
    assert sorted(r.id for r in failed) == ["toy/7", "toy/8"]
    assert all("damaged" in r.failure.message and r.value is None for r in failed)
    assert len(records) == 5


def test_finished_items_are_not_asked_again_and_failed_ones_are(tmp_path):
    """The second run of the same command does what is open, and nothing else."""
    samples = _samples(6)
    broken = Failure(stage="generate", error="Timeout", message="no answer")
    _run(tmp_path, samples, lambda r: broken if r.id == "toy/4" else "A")
    asked = []
    records = _run(tmp_path, samples, lambda r: asked.append(r.id) or "A")
    assert asked == ["toy/4"]
    assert records["toy/4"].outcome is not Outcome.FAILED


def test_a_cut_off_text_without_answer_is_truncated_not_no_answer():
    """Reaching the token limit without an answer is its own outcome."""
    asked = sample(1)
    cut = make_record(planned([asked]), asked, Completion(text="hmm", finish_reason="length"))
    complete = make_record(planned([asked]), asked, Completion(text="hmm", finish_reason="stop"))
    answered = make_record(
        planned([asked]), asked, Completion(text="<answer>A</answer> so", finish_reason="length")
    )
    assert cut.outcome is Outcome.TRUNCATED
    assert complete.outcome is Outcome.NO_ANSWER
    assert answered.outcome is Outcome.CORRECT


def test_a_scorer_that_breaks_fails_the_item_and_keeps_its_text():
    """A bug in a scorer is a named failure of one item, and the text can be scored again."""

    def broken(sample, text) -> Score:
        raise ZeroDivisionError("gold is 0")

    asked = sample(1)
    plan = planned([asked])
    plan = dataclasses.replace(plan, scorer=dataclasses.replace(plan.scorer, score=broken))
    record = make_record(plan, asked, Completion(text="A", finish_reason="stop"))
    assert record.outcome is Outcome.FAILED
    assert record.failure == Failure(stage="score", error="ZeroDivisionError", message="gold is 0")
    assert record.text == "A"


@pytest.mark.parametrize(
    ("variant", "indices"),
    [("reversed", (30, 20, 10, 0)), ("single", (20,)), ("blind", None)],
)
def test_variants_change_what_the_model_sees(tmp_path, variant, indices):
    """Reversed, single-frame and blind runs show their frames as the record says."""
    samples = _samples(1)
    plan = planned(samples)
    frames = dataclasses.replace(plan.protocol.frames, order=Variant(variant))
    plan = dataclasses.replace(plan, protocol=dataclasses.replace(plan.protocol, frames=frames))
    pool = FakePool()
    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(Plan((plan,)), run, RunObserver(), patch_multiple=28).run(
            FakeBackend(lambda r: "A"), pool
        )
        record = run.records["toy/0", 0]
    assert record.frame_indices == (() if indices is None else (indices,))
    assert record.variant == variant
    assert bool(pool.decoded) == (variant != "blind")


@pytest.mark.parametrize(
    ("variant", "heard"),
    [("ordered", "0.0 1.0 2.0 3.0"), ("reversed", "0.0 1.0 2.0 3.0"), ("single", "2.0")],
)
def test_a_prompt_may_have_text_that_belongs_to_the_frames_shown(tmp_path, variant, heard):
    """Subtitles, for example: the task is told the times of the frames, in time order."""

    class Subtitled(ToyTask):
        def prompt_at(self, sample, template, times):
            return Prompt(text=" ".join(str(time) for clip in times for time in clip))

    asked = []
    samples = _samples(1)
    plan = dataclasses.replace(planned(samples), task=Subtitled(samples))
    frames = dataclasses.replace(plan.protocol.frames, order=Variant(variant))
    plan = dataclasses.replace(plan, protocol=dataclasses.replace(plan.protocol, frames=frames))
    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(Plan((plan,)), run, RunObserver(), patch_multiple=28).run(
            FakeBackend(lambda r: asked.append(r.prompt.text) or "A"), FakePool()
        )
    assert asked == [heard]


def test_a_prompt_that_cannot_be_built_fails_its_item_only(tmp_path):
    """One bad row never stops a run."""

    class Fussy(ToyTask):
        def prompt(self, sample, template):
            if sample.id == "toy/1":
                raise ValueError("no such template")
            return super().prompt(sample, template)

    samples = _samples(3)
    plan = dataclasses.replace(planned(samples), task=Fussy(samples))
    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(Plan((plan,)), run, RunObserver(), patch_multiple=28).run(
            FakeBackend(lambda r: "A"), FakePool()
        )
        outcomes = {r.id: r.outcome for r in run.records.values()}
        assert run.records["toy/1", 0].failure.stage == "prompt"
    assert [k for k, v in outcomes.items() if v is Outcome.FAILED] == ["toy/1"]


def test_leases_are_answered_as_they_come_and_nothing_else(tmp_path):
    """Of nine questions on three videos two leases are given, in parts and without a video."""
    samples = [*_samples(6), sample(6), sample(7)]
    asked, pool = [], FakePool()

    def leases():
        yield [("", "toy/3", 0), ("", "toy/4", 0)]
        yield [("", "toy/7", 0)]
        yield [("", "toy/6", 0)]
        yield [("", "toy/0", 0)]

    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(
            Plan((planned(samples),)), run, RunObserver(), patch_multiple=28, leases=leases()
        ).run(FakeBackend(lambda r: asked.append(r.id) or "A"), pool)
        assert len(run.records) == 5
    assert asked == ["toy/3", "toy/4", "toy/7", "toy/6", "toy/0"]
    assert pool.released == pool.decoded == {"good1.mp4": 1, "good0.mp4": 1}
