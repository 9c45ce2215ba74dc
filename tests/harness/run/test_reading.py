"""A replica tells which videos its engine has read, before it answers questions about them."""

import threading

import numpy as np

from harness.backends.base import EngineStats
from harness.backends.fake import FakeBackend
from harness.run.reading import ReadingBackend
from harness.schema import Clip, Completion, MediaKind, Prompt, Request, Sampling


def _request(name, *videos):
    clips = tuple(
        Clip(
            key=video,
            kind=MediaKind.VIDEO,
            frames=np.zeros((1, 2, 2, 3), np.uint8),
            indices=(0,),
            timestamps=(0.0,),
            fps=1.0,
            total_frames=1,
            duration_s=1.0,
        )
        for video in videos
    )
    return Request(
        id=name,
        prompt=Prompt(text="?"),
        sampling=Sampling(temperature=0.0, max_tokens=1),
        clips=clips,
    )


REQUESTS = [_request("a", "v"), _request("b", "v"), _request("c", "w"), _request("d")]


class _SlowBackend:
    """Takes all requests, begins them one by one, and answers when it is told to."""

    name = "slow"

    def __init__(self, read):
        self.read = read
        self.may_answer = threading.Event()

    def requests_read(self):
        return self.read

    def generate(self, requests):
        taken = list(requests)
        self.may_answer.wait(10)
        for request in taken:
            yield request, Completion(text="A", finish_reason="stop")

    def stats(self):
        return EngineStats()

    def close(self):
        pass


def test_of_an_engine_that_does_not_count_a_video_is_read_when_its_first_question_is_taken():
    """Each video is told of once, each question without one by itself."""
    told = []
    backend = ReadingBackend(FakeBackend(lambda request: "A"), told.append)
    answered = [request.id for request, _ in backend.generate(iter(REQUESTS))]
    assert answered == ["a", "b", "c", "d"]
    assert told == [("", "a", 0), ("", "c", 0), ("", "d", 0)]


def test_an_engine_that_counts_tells_of_a_video_before_it_answers():
    """It had read five requests before (the canary's); of these four it reads two, then three."""
    engine, told, known = _SlowBackend(read=5), [], threading.Event()

    def on_read(key):
        told.append(key[1])
        known.set()

    backend = ReadingBackend(engine, on_read)
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(backend.generate(iter(REQUESTS))))
    thread.start()
    engine.read = 7
    assert known.wait(10)
    assert told == ["a"]
    known.clear()
    engine.read = 8
    assert known.wait(10)
    assert told == ["a", "c"]
    assert answers == []
    engine.may_answer.set()
    thread.join(10)
    assert len(answers) == len(REQUESTS)
