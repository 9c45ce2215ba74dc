"""The vLLM engine on tiny random checkpoints, against the transformers engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from asking import GREEDY, Answers, ask, clip, disagreements, questions, request

from harness.backends.vllm import VLLMBackend, VLLMConfig
from harness.errors import BackendError
from harness.schema import Completion, Failure, Request, Sampling

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
OPTIONS = VLLMConfig(max_num_seqs=4, waiting=1, prepared=2, max_model_len=2048)
HELD = OPTIONS.max_num_seqs + OPTIONS.waiting
READ_AHEAD = OPTIONS.prepared + 1
"""The feed holds two requests and has a third in hand."""


# vLLM's process-wide state allows one engine at a time: tests with one of their own come first.
@pytest.fixture(scope="module")
def backend(checkpoint_of) -> Iterator[VLLMBackend]:
    backend = VLLMBackend(checkpoint_of("qwen2_5_vl"), OPTIONS)
    yield backend
    backend.close()


def answers_of(checkpoint) -> Answers:
    backend = VLLMBackend(checkpoint)
    answers = ask(backend, questions(checkpoint.patch_multiple))
    backend.close()
    return answers


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "language_adapter"])
def test_greedy_answers_are_those_of_transformers(checkpoint_of, reference, name):
    """In float32 both engines read the same prompt and write the same tokens."""
    ours, theirs = answers_of(checkpoint_of(name)), reference(name)
    assert [question for question in ours if isinstance(ours[question], Failure)] == []
    assert {question: answer.prompt_tokens for question, answer in ours.items()} == {
        question: answer.prompt_tokens for question, answer in theirs.items()
    }
    different = disagreements(ours, theirs)
    assert len(different) <= 0.05 * len(theirs), "\n".join(different)
    same = [
        question for question in theirs if ours[question].token_ids == theirs[question].token_ids
    ]
    assert all(ours[question].text == theirs[question].text for question in same)
    assert all(ours[question].finish_reason == theirs[question].finish_reason for question in same)


def test_an_adapter_of_the_vision_tower_is_refused(checkpoint_of):
    """vLLM would leave it out without a word; the message names another way."""
    with pytest.raises(BackendError, match=r"adapts more than the language model.*transformers"):
        VLLMBackend(checkpoint_of("vision_adapter"), OPTIONS)


def test_engine_in_a_process_of_its_own(checkpoint_of, reference, monkeypatch):
    """As on a GPU: the same answers, and a refused request leaves its clip usable there too."""
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    backend = VLLMBackend(checkpoint_of("qwen2_5_vl"), OPTIONS)
    asked = questions(28)
    long = replace(asked[0], id="long", sampling=Sampling(temperature=0.0, max_tokens=2048))
    answers = ask(backend, [long, *asked])
    backend.close()
    assert isinstance(answers.pop("long"), Failure)
    assert len(disagreements(answers, reference("qwen2_5_vl"))) <= 2


def test_a_dead_engine_stops_the_run(checkpoint_of):
    """What it has finished was yielded before; the error names the cause."""
    backend = VLLMBackend(checkpoint_of("qwen2_5_vl"), OPTIONS)
    step, steps = backend._engine.step, iter(range(30))

    def failing_step() -> list[object]:
        if next(steps, None) is None:
            raise RuntimeError("out of memory")
        return step()

    backend._engine.step = failing_step
    answers = []
    with pytest.raises(BackendError, match="engine died: RuntimeError: out of memory"):
        answers.extend(backend.generate(questions(28)))
    assert answers
    backend.close()


def test_a_second_question_computes_little_of_the_video_again(backend):
    """All of its 240 tokens come from the prefix cache, but for a last part of at most 31."""
    shown = clip(28, 62, frames=80)
    ask(backend, [request("first", clips=[shown])])
    before = backend.stats().cached_prompt_tokens
    ask(backend, [request("second", "And now?", clips=[shown])])
    assert backend.stats().cached_prompt_tokens - before >= 240 - 31


def test_a_request_that_is_too_long_fails_alone(backend):
    """The next question about the same clip is answered, although its frames were prepared."""
    shown = clip(28, 60)
    asked = [
        request("long", clips=[shown], sampling=Sampling(temperature=0.0, max_tokens=2048)),
        request("next", clips=[shown]),
        request("last", "And now?", clips=[shown]),
    ]
    answers = ask(backend, asked)
    assert isinstance(answers["long"], Failure)
    assert "raise max_model_len" in answers["long"].message
    assert isinstance(answers["next"], Completion)
    assert isinstance(answers["last"], Completion)


def test_a_bad_clip_fails_alone(backend):
    """Frames off the grid cannot be processed; requests around them are answered."""
    bad = replace(clip(28, 61), key="bad", frames=clip(28, 61).frames[:, :30, :30])
    asked = [request("a"), request("bad", clips=[bad]), request("b", clips=[clip(28, 61)])]
    answers = ask(backend, asked)
    assert {name: type(answer) for name, answer in answers.items()} == {
        "a": Completion,
        "bad": Failure,
        "b": Completion,
    }
    assert answers["bad"].stage == "generate"


def test_answers_leave_before_later_requests_arrive(backend):
    """There is no batch to wait for: the second request is only made after the first answer."""
    answered = threading.Event()

    def requests() -> Iterator[Request]:
        yield request("first")
        assert answered.wait(timeout=60)
        yield request("second")

    stream = backend.generate(requests())
    assert next(stream)[0].id == "first"
    answered.set()
    assert [asked.id for asked, _ in stream] == ["second"]


def test_few_requests_are_held_at_a_time(backend):
    """Reading stays ahead of answering by a fixed number, whatever the length of the run."""
    made = 0

    def requests() -> Iterator[Request]:
        nonlocal made
        for number in range(60):
            made += 1
            yield request(str(number))

    lead = [made - done for done, _ in enumerate(backend.generate(requests()), 1)]
    assert max(lead) <= HELD + READ_AHEAD
    assert len(lead) == 60


def test_a_run_that_is_given_up_leaves_the_engine_usable(backend):
    """Closing the stream drops what is under way."""
    stream = backend.generate(questions(28))
    next(stream)
    stream.close()
    assert list(ask(backend, [request("x")])) == ["x"]


def test_sampling_follows_the_seed(backend):
    """Equal seeds give equal texts, other seeds other ones."""
    warm = Sampling(temperature=1.0, top_p=0.95, max_tokens=12, seed=1)
    asked = [
        request("one", sampling=warm),
        request("two", sampling=replace(warm, seed=2)),
        request("again", sampling=warm),
    ]
    answers = ask(backend, asked)
    assert answers["one"].token_ids == answers["again"].token_ids != answers["two"].token_ids


PENALISED = {
    "presence": {"presence_penalty": 1.5},
    "frequency": {"frequency_penalty": 0.7},
    "repetition": {"repetition_penalty": 1.3},
    "all": {"presence_penalty": 0.5, "frequency_penalty": 0.5, "repetition_penalty": 1.1},
}


def test_penalties_are_those_of_transformers_with_ours(backend, checkpoint_of):
    """Greedy answers of both engines are the same tokens, and none is the one without penalty."""
    from harness.backends.transformers import TransformersBackend

    asked = [
        request(name, clips=[clip(28, 3)], sampling=replace(GREEDY, max_tokens=24, **changes))
        for name, changes in {"plain": {}, **PENALISED}.items()
    ]
    theirs = TransformersBackend(checkpoint_of("qwen2_5_vl"))
    expected, found = ask(theirs, asked), ask(backend, asked)
    theirs.close()
    for name in PENALISED:
        assert found[name].token_ids == expected[name].token_ids, name
        assert found[name].token_ids != found["plain"].token_ids, name


def test_one_probable_token_is_greedy(backend):
    """``top_k`` and ``min_p`` reach the engine."""
    warm = Sampling(temperature=1.0, max_tokens=12, seed=3)
    asked = [
        request("greedy"),
        request("warm", sampling=warm),
        request("top_k", sampling=replace(warm, top_k=1)),
        request("min_p", sampling=replace(warm, min_p=1.0)),
    ]
    answers = ask(backend, asked)
    assert answers["top_k"].token_ids == answers["greedy"].token_ids
    assert answers["min_p"].token_ids == answers["greedy"].token_ids
    assert answers["warm"].token_ids != answers["greedy"].token_ids


def test_a_stop_text_ends_the_answer(backend):
    """It is no part of the text, and the answer was not cut at the limit."""
    whole = ask(backend, [request("x")])["x"].text
    stop = whole[len(whole) // 2 :][:3]
    cut = ask(backend, [request("x", sampling=replace(GREEDY, stop=(stop,)))])["x"]
    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.output_tokens < GREEDY.max_tokens


def test_repeats_of_an_item_encode_its_video_once(backend):
    """And differ by their seeds alone; asked again, each says the same."""
    from harness.run.repeats import sampling_of_repeat

    warm, seen = Sampling(temperature=1.0, max_tokens=12), clip(28, 77)
    before = backend.stats().vision_encodings

    def asked(repeat):
        sampling = sampling_of_repeat(warm, "item", repeat, 4)
        return request(f"item/{repeat}", clips=[seen], sampling=sampling)

    answers = ask(backend, [asked(repeat) for repeat in range(4)])
    assert backend.stats().vision_encodings - before == 1
    assert len({answer.token_ids for answer in answers.values()}) == 4
    again = ask(backend, [asked(2)])
    assert again["item/2"].token_ids == answers["item/2"].token_ids


def test_answers_say_what_they_cost(backend):
    """Tokens and seconds are filled in."""
    answer = ask(backend, [request("x", clips=[clip(28, 1)])])["x"]
    assert 0 < answer.output_tokens <= GREEDY.max_tokens
    assert answer.output_tokens == len(answer.token_ids)
    assert answer.generate_s > 0


def test_an_error_of_the_request_source_is_raised(backend):
    """What goes wrong while requests are made is no answer of the model."""

    def requests() -> Iterator[Request]:
        yield request("x")
        raise OSError("disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        list(backend.generate(requests()))
