"""The engines without a model, the shared request feed, and chat turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from harness.backends import chat
from harness.backends.fake import FakeBackend, first_option
from harness.backends.feed import Feed, failure
from harness.backends.replay import ReplayBackend
from harness.schema import Clip, Completion, Failure, MediaKind, Prompt, Request, Sampling


def same(asked: Request) -> Request:
    return asked


GREEDY = Sampling(temperature=0.0, max_tokens=4)


def request(name: str, text: str = "Which?", clips: tuple[Clip, ...] = ()) -> Request:
    return Request(id=name, prompt=Prompt(text=text), sampling=GREEDY, clips=clips)


def clip(kind: MediaKind = MediaKind.VIDEO, indices: tuple[int, ...] = (0, 5)) -> Clip:
    return Clip(
        key="k",
        kind=kind,
        frames=np.zeros((len(indices), 28, 28, 3), dtype=np.uint8),
        indices=indices,
        timestamps=tuple(float(index) for index in sorted(indices)),
        fps=5.0,
        total_frames=10,
        duration_s=2.0,
    )


def test_fake_answers_with_the_function():
    """The function's text comes back under its request."""
    asked = [request("a"), request("b")]
    answers = list(FakeBackend(lambda request: request.id.upper()).generate(asked))
    assert [(r.id, answer.text, answer.finish_reason) for r, answer in answers] == [
        ("a", "A", "stop"),
        ("b", "B", "stop"),
    ]


def test_fake_passes_on_whole_answers():
    """A function may state tokens, or fail on purpose."""
    cut = Completion(text="The", finish_reason="length", output_tokens=4)
    lost = Failure(stage="generate", error="Lost", message="gone")
    answers = {"cut": cut, "lost": lost}
    backend = FakeBackend(lambda request: answers[request.id])
    assert [answer for _, answer in backend.generate(map(request, answers))] == [cut, lost]


def test_fake_that_raises_costs_one_request():
    """An error of the function is that request's failure; the next one is answered."""

    def answer(request: Request) -> str:
        return {"good": "A"}[request.id]

    results = {r.id: a for r, a in FakeBackend(answer).generate(map(request, ["x", "good"]))}
    assert results["x"] == Failure(stage="generate", error="KeyError", message="'x'")
    assert results["good"].text == "A"


def test_fake_reads_lazily():
    """A request is made when the one before has been taken."""
    made = []

    def requests() -> Iterator[Request]:
        for name in "abc":
            made.append(name)
            yield request(name)

    stream = FakeBackend(first_option).generate(requests())
    next(stream)
    assert made == ["a"]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [("Answer with the letter.", "A"), ("Put it in <answer> tags.", "<answer>A</answer>")],
)
def test_first_option_answers_in_the_form_asked_for(prompt, text):
    """The floor is a readable answer under any template."""
    assert first_option(request("x", prompt)) == text


def test_replay_returns_stored_texts_even_empty_ones():
    """An empty response is a response."""
    answers = ReplayBackend({"a": "B", "b": ""}).generate([request("a"), request("b")])
    assert [answer.text for _, answer in answers] == ["B", ""]


def test_replay_without_a_text_is_a_failure():
    """A missing response is named and scored as nothing."""
    ((_, answer),) = ReplayBackend({}).generate([request("task/7")])
    assert answer == Failure(
        stage="generate", error="MissingResponse", message="no stored response for task/7"
    )


def test_failure_names_the_exception():
    """Class and message are kept, the traceback is not."""
    assert failure(ValueError("too long")) == Failure(
        stage="generate", error="ValueError", message="too long"
    )


def test_feed_hands_over_everything_in_order():
    """Nothing is lost between the reading and the taking thread."""
    feed = Feed((request(str(number)) for number in range(20)), lambda r: r.id * 2)
    taken = [feed.take(wait_s=None) for _ in range(20)]
    assert [(r.id, made) for r, made in taken] == [(str(n), str(n) * 2) for n in range(20)]
    assert feed.take(wait_s=None) is None
    assert feed.exhausted
    assert feed.take(wait_s=None) is None


def test_feed_does_not_wait_unless_told_to():
    """An engine with work to do is not held up by a slow decoder."""
    decoded = threading.Event()

    def requests() -> Iterator[Request]:
        decoded.wait(timeout=10)
        yield request("late")

    feed = Feed(requests(), same)
    assert feed.take(wait_s=0) is None
    assert feed.take(wait_s=0.01) is None
    assert not feed.exhausted
    decoded.set()
    late = feed.take(wait_s=None)
    assert late is not None
    assert late[0].id == "late"


def test_feed_prepares_on_its_own_thread_and_a_bad_request_costs_itself_only():
    """What preparing raises comes with the request; the next one is prepared all the same."""
    threads = set()

    def prepare(asked: Request) -> str:
        threads.add(threading.current_thread())
        if asked.id == "bad":
            raise ValueError("too long")
        return "made"

    feed = Feed([request("bad"), request("good")], prepare)
    (bad, reason), (good, made) = feed.take(wait_s=None), feed.take(wait_s=None)
    assert (bad.id, reason.message, good.id, made) == ("bad", "too long", "good", "made")
    assert threading.current_thread() not in threads
    assert feed.prepare_s > 0


def test_feed_raises_what_the_source_raised_after_its_last_request():
    """Requests read before the error are still handed over."""

    def requests() -> Iterator[Request]:
        yield request("x")
        raise OSError("disk is gone")

    feed = Feed(requests(), same)
    assert feed.take(wait_s=None) is not None
    with pytest.raises(OSError, match="disk is gone"):
        feed.take(wait_s=None)


def test_closed_feed_stops_reading():
    """After closing, at most the requests already under way are made."""
    made = 0

    def requests() -> Iterator[Request]:
        nonlocal made
        for number in range(100):
            made += 1
            yield request(str(number))

    feed = Feed(requests(), same, ahead=1)
    feed.take(wait_s=None)
    feed.close()
    feed.join()
    assert made <= 4


def test_media_come_first_in_the_user_turn():
    """Questions about one video share everything before their text."""
    prompt = Prompt(text="Which?", system="Look.")
    turns = chat.messages(prompt, [clip(MediaKind.IMAGE, (0,)), clip(), clip(MediaKind.FRAMES)])
    assert turns == [
        {"role": "system", "content": [{"type": "text", "text": "Look."}]},
        {
            "role": "user",
            "content": [
                {"type": "image"},
                {"type": "video"},
                {"type": "video"},
                {"type": "text", "text": "Which?"},
            ],
        },
    ]


def test_prefill_follows_the_generation_prompt():
    """The checkpoint's template decides everything before it."""

    class Processor:
        def apply_chat_template(self, turns, *, tokenize, add_generation_prompt):
            assert (tokenize, add_generation_prompt) == (False, True)
            return f"{len(turns)} turn, answer: "

    prompt = Prompt(text="Which?", prefill="<think>")
    assert chat.render(Processor(), prompt, []) == "1 turn, answer: <think>"


def test_frame_times_do_not_follow_shuffled_frames():
    """The model is told when frames are shown, not where they came from."""
    assert chat.video_metadata(clip(indices=(5, 0)))["frames_indices"] == [0, 5_000_000]


def test_engines_are_told_the_times_of_the_record():
    """Frames at 0, 0.2 and 4.1 s of a clip of any rate; on average they are 2.05 s apart."""
    uneven = replace(clip(), indices=(0, 5, 9), timestamps=(0.0, 0.2, 4.1))
    told = chat.video_metadata(uneven)
    assert [index / told["fps"] for index in told["frames_indices"]] == [0.0, 0.2, 4.1]
    assert told["total_num_frames"] / told["fps"] / 3 == pytest.approx(2.05)
    assert uneven.spacing_s == 2.05


@pytest.mark.parametrize(
    ("known", "options"),
    [
        (("size",), {}),
        (("size", "merge_size"), {"do_resize": False}),
        (
            ("merge_size", "cap_pixels_per_frame"),
            {"do_resize": False, "cap_pixels_per_frame": False},
        ),
    ],
)
def test_only_native_resolution_processors_are_told_not_to_resize(known, options):
    """A processor that needs a fixed size keeps its own resizing."""

    class Part:
        valid_kwargs = type("Known", (), {"__annotations__": dict.fromkeys(known, int)})

    class Processor:
        image_processor = video_processor = Part()

    assert chat.media_options(Processor()) == {
        "images_kwargs": options,
        "videos_kwargs": {"do_sample_frames": False, **options},
    }
