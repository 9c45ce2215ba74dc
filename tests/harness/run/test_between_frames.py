"""Tests for text between frames, and for what a record says of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.backends.fake import FakeBackend
from harness.run.between_frames import cut_clips, describe_asked, show_between
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.runner import Runner
from harness.run.store import RunWriter, read_records, write_parquet
from harness.run.token_estimate import estimate_frame_tokens
from harness.schema import AskedPart, Clip, FrameText, Media, MediaKind, Prompt, Variant
from tests.toys import ToyTask, planned, sample

MANIFEST = {
    "schema": 1, "checkpoint": {}, "protocol": {"toy": {}},
    "data": {"toy": {"items": 1, "sha256": "f00d"}},
}  # fmt: skip


class OneClip:
    """Decodes nothing: a clip of four frames for every job."""

    def decode(self, jobs):
        for job in jobs:
            yield job, (_clip(4),)

    def release(self, job):
        pass


def _samples():
    return [sample(1, (Media(path=Path("/videos/1.mp4")),))]


def _clip(count: int, key: str = "k") -> Clip:
    """Return a clip whose frame n is of grey n at second n."""
    frames = np.stack([np.full((28, 28, 3), place, np.uint8) for place in range(count)])
    times = tuple(map(float, range(count)))
    return Clip(
        key=key, kind=MediaKind.VIDEO, frames=frames, indices=tuple(range(count)),
        timestamps=times, fps=1.0, total_frames=count, duration_s=float(count),
    )  # fmt: skip


def _turn(prompt: Prompt, clips: tuple[Clip, ...]) -> list[str | int]:
    """Return the user turn as an engine shows it: texts, and the grey of each frame."""
    turn: list[str | int] = []
    for place, one in enumerate(clips):
        turn += (
            [prompt.before[place]] if place < len(prompt.before) and prompt.before[place] else []
        )
        turn += [int(frame[0, 0, 0]) for frame in one.frames]
    return [*turn, prompt.text]


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ((), [0, 1, 2, "Q"]),
        (((1, "a"),), [0, "a", 1, 2, "Q"]),
        (((0, "a"),), ["a", 0, 1, 2, "Q"]),
        (((3, "a"),), [0, 1, 2, "aQ"]),
        (((1, "a"), (1, "b"), (3, "c")), [0, "ab", 1, 2, "cQ"]),
    ],
)
def test_texts_stand_behind_the_frames_that_they_name(between, expected):
    """Texts at one place follow each other; what is behind the last frame precedes the question."""
    prompt = Prompt(text="Q", between=tuple(FrameText(*one) for one in between))
    asked, shown = show_between(prompt, (_clip(3),))
    assert _turn(asked, shown) == expected
    assert asked.between is None


def test_every_frame_is_an_image_with_its_own_key_index_and_time():
    """Engines cache images by their keys."""
    _, shown = show_between(Prompt(text="Q", between=()), (_clip(2, "x"), _clip(1, "y")))
    assert [one.key for one in shown] == ["x-0", "x-1", "y-0"]
    assert {one.kind for one in shown} == {MediaKind.IMAGE}
    assert [one.timestamps for one in shown] == [(0.0,), (1.0,), (0.0,)]
    assert [one.indices for one in shown] == [(0,), (1,), (0,)]


def test_text_before_a_clip_stays_before_its_first_frame():
    """Places are counted over all clips."""
    prompt = Prompt(text="Q", before=("one ", "two "), between=(FrameText(2, "cue "),))
    asked, shown = show_between(prompt, (_clip(2), _clip(1)))
    assert _turn(asked, shown) == ["one ", 0, 1, "two cue ", 0, "Q"]


def test_a_prompt_without_such_texts_is_left_as_it_is():
    """Clips stay whole."""
    prompt, clips = Prompt(text="Q"), (_clip(2),)
    assert show_between(prompt, clips) == (prompt, clips)


@pytest.mark.parametrize("after", [-1, 3])
def test_a_place_that_is_not_there_is_an_error(after):
    """It says how many frames there are."""
    prompt = Prompt(text="Q", between=(FrameText(after, "x"),))
    with pytest.raises(ValueError, match=rf"behind {after} frames, there are 2"):
        show_between(prompt, (_clip(2),))


def test_single_frames_have_a_token_each_where_a_video_has_half():
    """The estimate of a dry run says so: four frames of one patch, two of a video share a token."""
    whole = estimate_frame_tokens([(_clip(4),)], 28, None)
    single = estimate_frame_tokens([cut_clips([_clip(4)])], 28, None)
    assert whole is not None
    assert single is not None
    assert (whole.frames, whole.tokens) == (4, 2)
    assert (single.frames, single.tokens) == (4, 4)


class Spoken(ToyTask):
    """Says the seconds of every frame behind it, or before the question."""

    def interleaves(self, template):
        return template == "official"

    def prompt_at(self, sample, template, times):
        prompt = self.prompt(sample, template)
        spoken = [f"{time:g}s " for shown in times for time in shown]
        if self.interleaves(template):
            between = tuple(FrameText(place, text) for place, text in enumerate(spoken, 1))
            return dataclasses.replace(prompt, between=between)
        return dataclasses.replace(prompt, text="".join([*spoken, prompt.text]))


def _plan(template: str, order: Variant = Variant.ORDERED):
    asked = _samples()
    one = dataclasses.replace(planned(asked), task=Spoken(asked))
    frames = dataclasses.replace(one.protocol.frames, order=order)
    protocol = dataclasses.replace(one.protocol, template=template, frames=frames)
    return dataclasses.replace(one, protocol=protocol)


def _run(tmp_path, plan):
    requests = []
    with RunWriter(tmp_path, MANIFEST) as run:
        Runner(Plan((plan,)), run, RunObserver(), patch_multiple=28).run(
            FakeBackend(lambda request: requests.append(request) or "A"), OneClip()
        )
    (record,) = read_records(tmp_path)
    return requests[0], record


def test_a_record_says_what_was_asked_between_the_frames(tmp_path):
    """Its frames stay those of the question's one video."""
    request, record = _run(tmp_path, _plan("official"))
    question = request.prompt.text.removeprefix("3s ")
    assert len(request.clips) == 4
    assert record.asked == (
        AskedPart(frames=1, text="0s "), AskedPart(frames=1, text="1s "),
        AskedPart(frames=1, text="2s "), AskedPart(frames=1, text=f"3s {question}"),
    )  # fmt: skip
    assert (len(record.frame_indices), len(record.frame_indices[0])) == (1, 4)
    write_parquet(tmp_path, [record])


def test_a_record_says_what_was_asked_before_the_question(tmp_path):
    """Where the text of the question depends on the frames."""
    request, record = _run(tmp_path, _plan("video-r1"))
    assert len(request.clips) == 1
    assert record.asked == (AskedPart(frames=4, text=request.prompt.text),)
    assert request.prompt.text.startswith("0s 1s 2s 3s ")


@pytest.mark.parametrize(
    ("order", "frames"), [(Variant.SINGLE, 1), (Variant.REVERSED, 4), (Variant.SHUFFLED, 4)]
)
def test_texts_keep_their_places_in_other_orders_of_the_frames(tmp_path, order, frames):
    """The variants of a probe move frames and no text."""
    request, record = _run(tmp_path, _plan("official", order))
    assert len(request.clips) == frames
    assert sum(part.frames for part in record.asked) == frames
    assert "".join(part.text for part in record.asked).startswith("0s " if frames > 1 else "2s ")


def test_a_record_of_a_question_as_stored_says_nothing_twice(tmp_path):
    """``samples.jsonl`` has it."""
    asked = _samples()
    _, record = _run(tmp_path, planned(asked))
    assert record.asked == ()
    assert describe_asked(_plan("official"), asked[0], ()) == ()


def test_the_engine_is_told_how_many_images_a_request_has():
    """Frames at most, for templates with text between them."""
    assert _plan("official").images == _plan("official").frames.max_frames
    assert _plan("video-r1").images == planned(_samples()).images == 0
    assert Plan((_plan("official"),)).asked[0].images == _plan("official").frames.max_frames
