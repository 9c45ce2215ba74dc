"""The OpenAI engine against a small server that answers as told."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness.backends.engine_config import EngineConfig, given_settings, numeric_settings
from harness.backends.extra_body import check_extra_body
from harness.backends.openai import OpenAIBackend, ServerConfig
from harness.backends.select import resolve_engine
from harness.errors import BackendError, CheckpointError, UsageError
from harness.models.server import served
from harness.schema import Clip, Completion, Failure, MediaKind, Prompt, Request, Sampling
from tests.stub_server import Body, Reply, Stub, answer, refusal

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


def ask(stub: Stub, *requests: Request, options: ServerConfig | None = None) -> dict[str, object]:
    backend = OpenAIBackend(served(stub.url), options)
    try:
        return {request.id: result for request, result in backend.generate(requests)}
    finally:
        backend.close()


def request(name: str, *clips: Clip, **changes: object) -> Request:
    prompt = Prompt(text=name)
    fields = {"prompt": prompt, "sampling": Sampling(temperature=0.1, top_p=0.9, max_tokens=5)}
    return Request(id=name, clips=clips, **{**fields, **changes})


def clip(frames: int = 3, kind: MediaKind = MediaKind.VIDEO) -> Clip:
    return Clip(
        key="key",
        kind=kind,
        frames=np.random.default_rng(0).integers(0, 256, (frames, 28, 56, 3), dtype=np.uint8),
        indices=(8, 0, 4)[:frames],
        timestamps=(0.0, 1.0, 2.0)[:frames],
        fps=4.0,
        total_frames=12,
        duration_s=3.0,
    )


def pixels(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_a_text_comes_back_with_what_it_cost(stub):
    """Text, finish reason and token counts are the server's."""
    completion = ask(stub, request("x"))["x"]
    assert isinstance(completion, Completion)
    assert (completion.text, completion.finish_reason) == ("A", "stop")
    assert (completion.prompt_tokens, completion.output_tokens) == (7, 2)


def test_sampling_is_spelled_out(stub):
    """Nothing is left for the checkpoint's generation config to fill in."""
    ask(stub, request("x"))
    body = stub.bodies[0]
    assert body["temperature"] == 0.1
    assert body["top_p"] == 0.9
    assert body["max_tokens"] == 5
    assert body["seed"] == 0
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (0, 0.0, 1.0)
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.0, 0.0)


def test_video_is_one_lossless_part_with_its_times(stub):
    """All frames travel bit for bit, in the order shown, before the question."""
    shown = clip()
    ask(stub, request("x", shown))
    video, text = stub.bodies[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "x"}
    assert video["uuid"] == "key"
    head, _, frames = video["video_url"]["url"].partition("base64,")
    assert head == "data:video/jpeg;"
    assert np.array_equal([pixels(frame) for frame in frames.split(",")], shown.frames)
    assert stub.bodies[0]["media_io_kwargs"]["video"] == {
        "fps": 1e6,
        "duration": 3.0,
        "total_num_frames": 3_000_000,  # three frames, on average a second apart
        "frames_indices": [0, 1_000_000, 2_000_000],  # the times do not follow the frames
        "num_frames": -1,
        "do_sample_frames": False,
    }


def test_an_image_is_an_image_part(stub):
    """A single image needs no time base."""
    shown = clip(frames=1, kind=MediaKind.IMAGE)
    ask(stub, request("x", shown))
    part = stub.bodies[0]["messages"][0]["content"][0]
    encoded = part["image_url"]["url"].removeprefix("data:image/png;base64,")
    assert np.array_equal(pixels(encoded), shown.frames[0])
    assert "media_io_kwargs" not in stub.bodies[0]


def test_frames_as_images_use_no_extension(stub):
    """Servers that know no video get standard fields only."""
    ask(stub, request("x", clip()), options=ServerConfig(video_as_images=True))
    body = stub.bodies[0]
    kinds = [part["type"] for part in body["messages"][0]["content"]]
    assert kinds == ["image_url"] * 3 + ["text"]
    assert set(body) == {
        *("model", "messages", "temperature", "top_p", "max_tokens", "seed"),
        *("presence_penalty", "frequency_penalty"),
    }


FULL = Sampling(
    temperature=0.6, top_p=0.95, top_k=20, min_p=0.1, presence_penalty=1.5, frequency_penalty=0.5,
    repetition_penalty=1.1, max_tokens=64, seed=7, stop=("END",),
)  # fmt: skip


def test_every_sampling_setting_is_sent(stub):
    """Also those that the protocol leaves at their defaults, which a server would fill in."""
    prompt = Prompt(text="x", template_args={"enable_thinking": False})
    ask(stub, request("x", prompt=prompt, sampling=FULL), request("y"))
    full = next(body for body in stub.bodies if body["seed"] == 7)
    for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens", "presence_penalty",
                 "frequency_penalty", "repetition_penalty"):  # fmt: skip
        assert full[name] == getattr(FULL, name)
    assert full["stop"] == ["END"]
    assert full["chat_template_kwargs"] == {"enable_thinking": False}
    plain = next(body for body in stub.bodies if body["seed"] == 0)
    assert (plain["top_k"], plain["min_p"], plain["repetition_penalty"]) == (0, 0.0, 1.0)
    assert "stop" not in plain


@pytest.mark.parametrize("change", [{"top_k": 5}, {"min_p": 0.1}, {"repetition_penalty": 1.1}])
def test_what_the_plain_api_lacks_is_refused(stub, change):
    """Rather than left out without a word."""
    sampling = Sampling(temperature=0.5, max_tokens=4, **change)
    options = ServerConfig(video_as_images=True)
    failed = ask(stub, request("x", sampling=sampling), options=options)["x"]
    assert next(iter(change)) in failed.message
    assert stub.bodies == []


def test_system_and_prefill_are_turns_of_their_own(stub):
    """A prefill is an assistant turn the server is told to continue."""
    prompt = Prompt(text="x", system="Be brief.", prefill="<think>")
    ask(stub, request("x", prompt=prompt))
    body = stub.bodies[0]
    assert [turn["role"] for turn in body["messages"]] == ["system", "user", "assistant"]
    assert body["messages"][2]["content"] == "<think>"
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_server_errors_are_tried_again(stub):
    """Two failures of the server cost time, not the answer."""
    replies = iter([refusal(500), refusal(500), answer("B")])
    stub.reply = lambda text, body: next(replies)
    assert ask(stub, request("x"))["x"].text == "B"
    assert len(stub.bodies) == 3


def test_a_refused_request_fails_alone(stub):
    """A bad request is not tried again, and the others are answered."""
    stub.reply = lambda text, body: refusal(400, "too long") if text == "bad" else answer()
    results = ask(stub, request("a"), request("bad"), request("b"))
    assert isinstance(results["bad"], Failure)
    assert (results["bad"].stage, results["bad"].error) == ("generate", "BadRequestError")
    assert "too long" in results["bad"].message
    assert isinstance(results["a"], Completion)
    assert isinstance(results["b"], Completion)
    assert len(stub.bodies) == 3


def test_an_answer_without_text_is_a_failure(stub):
    """What is not a text to score is no empty answer."""
    stub.reply = lambda text, body: answer(text=None)
    assert ask(stub, request("x"))["x"].error == "EmptyReplyError"


def test_a_filtered_answer_is_a_refusal(stub):
    """It counts as 0, and its text is not scored."""
    stub.reply = lambda text, body: answer(finish_reason="content_filter")
    assert ask(stub, request("x"))["x"].refused


def test_a_wrong_key_ends_the_run_and_is_said_to_be_wrong(stub, monkeypatch):
    """Exit 2: the user has to change something; the key itself is not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    stub.reply = lambda text, body: refusal(401, "Incorrect API key provided: sk-secret")
    with pytest.raises(CheckpointError, match="OPENAI_API_KEY is not the right one") as caught:
        ask(stub, *(request(str(number)) for number in range(40)))
    assert "sk-secret" not in str(caught.value)
    assert len(stub.bodies) <= ServerConfig().concurrency


def test_what_every_request_would_meet_stops_the_run(stub):
    """A vanished model ends the run instead of failing each item."""
    stub.reply = lambda text, body: refusal(404)
    with pytest.raises(BackendError, match=r"server at http://.* cannot go on"):
        ask(stub, *(request(str(number)) for number in range(40)))
    assert len(stub.bodies) <= ServerConfig().concurrency


def test_a_server_that_refuses_frame_times_stops_the_run(stub):
    """The message names the flag that vLLM needs."""
    flag = "--trust-request-mm-kwargs"
    stub.reply = lambda text, body: refusal(400, f"Start the server with {flag}")
    with pytest.raises(BackendError, match=f"start it with {flag}"):
        ask(stub, request("x", clip()))


def test_finished_answers_come_before_the_error(stub):
    """A run that ends early keeps what it has."""
    stub.reply = lambda text, body: answer() if text == "good" else refusal(401)
    backend = OpenAIBackend(served(stub.url), ServerConfig(concurrency=1))
    results = []
    with pytest.raises(CheckpointError):
        results.extend(backend.generate([request("good"), request("bad"), request("never")]))
    backend.close()
    assert [asked.id for asked, _ in results] == ["good"]
    assert len(stub.bodies) == 2


def test_requests_overlap_and_are_read_lazily(stub):
    """As many requests as allowed are under way at once, and no more are made than that."""
    together = threading.Barrier(4, timeout=10)
    made = 0

    def reply(text: str, body: Body) -> Reply:
        together.wait()
        return answer()

    def requests() -> Iterator[Request]:
        nonlocal made
        for number in range(8):
            made += 1
            yield request(str(number))

    stub.reply = reply
    backend = OpenAIBackend(served(stub.url), ServerConfig(concurrency=4))
    lead = [made - done for done, _ in enumerate(backend.generate(requests()), 1)]
    backend.close()
    assert len(lead) == 8
    assert max(lead) <= 2 * 4


def test_an_error_of_the_request_source_is_raised(stub):
    """What goes wrong while requests are made is no answer of the model."""

    def requests() -> Iterator[Request]:
        yield request("x")
        raise OSError("disk is gone")

    backend = OpenAIBackend(served(stub.url))
    with pytest.raises(OSError, match="disk is gone"):
        list(backend.generate(requests()))
    backend.close()


def test_the_only_model_is_taken(stub):
    """Identity is the host, the model's id and what the server says it loaded."""
    model = served(f"{stub.url}/")
    assert (model.model, model.base_url) == ("m", stub.url)
    assert model.identity["root"] == "/models/m"
    assert model.identity["model"] == "m"


def test_an_unknown_model_is_refused(stub):
    """The message lists what the server has."""
    with pytest.raises(CheckpointError, match="no model 'other'; it lists: m"):
        served(stub.url, "other")


@pytest.mark.parametrize("content", [{"data": 3}, {"error": "no"}, ["a"], "a page", {"data": [{}]}])
def test_a_server_of_another_kind_is_named(stub, content):
    """It answers, but not with a list of models."""
    stub.models = content
    with pytest.raises(CheckpointError, match=r"no OpenAI-compatible server|lists no models"):
        served(stub.url)


def test_a_missing_server_is_named():
    """The URL and what to do are in the message."""
    with pytest.raises(
        CheckpointError, match=rf"no .* server answers at {NOWHERE}/models.*start it"
    ):
        served(NOWHERE)


def test_a_server_that_vanishes_stops_the_run(stub):
    """A lost connection is not an answer of the model either."""
    model = replace(served(stub.url), base_url=NOWHERE)
    backend = OpenAIBackend(model, ServerConfig(max_retries=0))
    with pytest.raises(BackendError, match="cannot go on"):
        list(backend.generate([request("x")]))
    backend.close()


def test_a_question_whose_reply_always_breaks_fails_alone(stub):
    """The others are answered, and the run concludes."""
    stub.reply = lambda text, body: None if text == "bad" else answer()
    options = ServerConfig(max_retries=1)
    results = ask(stub, request("a"), request("bad"), request("b"), options=options)
    assert results["bad"].error == "BrokenConnectionError"
    assert isinstance(results["a"], Completion)
    assert isinstance(results["b"], Completion)


def test_further_fields_are_part_of_every_request(stub):
    """Beside what the protocol says."""
    extra = {"top_a": 0.5, "reasoning": {"effort": "low"}}
    ask(stub, request("x"), request("y", clip()), options=ServerConfig(extra_body=extra))
    assert len(stub.bodies) == 2
    for body in stub.bodies:
        assert {name: body[name] for name in extra} == extra
        assert body["temperature"] == 0.1


@pytest.mark.parametrize(
    "name",
    ["model", "messages", "temperature", "max_tokens", "seed", "n", "stream", "top_k",
     "media_io_kwargs", "chat_template_kwargs", "thinking_token_budget"],
)  # fmt: skip
def test_a_field_that_requests_have_already_is_refused(name):
    """It would undo what the protocol says, or break the request."""
    with pytest.raises(UsageError, match=f"--extra-body: {name} cannot be set here: .+"):
        check_extra_body({"fine": 1, name: 1}, video_as_images=False)


def test_a_server_that_gets_images_takes_fields_that_others_have_already():
    """Its requests have none of vLLM's fields."""
    check_extra_body({"top_k": 5, "chat_template_kwargs": {}}, video_as_images=True)
    with pytest.raises(UsageError, match="--temperature"):
        check_extra_body({"temperature": 5}, video_as_images=True)


def test_as_many_requests_are_under_way_as_the_settings_say(stub):
    """All three wait for each other."""
    together = threading.Barrier(3, timeout=10)

    def reply(text: str, body: Body) -> Reply:
        together.wait()
        return answer()

    stub.reply = reply
    results = ask(stub, *map(request, "abcdef"), options=ServerConfig(concurrency=3))
    assert all(isinstance(one, Completion) for one in results.values())


def test_an_error_ends_the_work_while_threads_wait_for_further_requests(stub):
    """They would wait for ever, since the next request comes after an answer."""
    stub.reply = lambda text, body: refusal(401)
    never = threading.Event()

    def requests() -> Iterator[Request]:
        yield request("x")
        yield request("y")
        never.wait(20)

    backend = OpenAIBackend(served(stub.url), ServerConfig(concurrency=8))
    began = time.monotonic()
    with pytest.raises(CheckpointError, match="the key is refused"):
        list(backend.generate(requests()))
    never.set()
    assert time.monotonic() - began < 10
    backend.close()


def test_the_frame_grid_is_that_of_the_checkpoint_that_the_server_names(stub, tmp_path):
    """Qwen3-VL's is 32; what cannot be read leaves the default, and a flag comes first."""

    def resolved(**settings):
        config = EngineConfig(base_url=stub.url, **settings)
        return resolve_engine("m", config)

    assert resolved().patch_multiple == 28
    (tmp_path / "preprocessor_config.json").write_text('{"patch_size": 16, "merge_size": 2}')
    stub.models = {"data": [{"id": "m", "root": str(tmp_path)}]}
    engine = resolved()
    assert engine.patch_multiple == 32
    assert engine.numeric == {"frame_grid": 32}
    assert resolved(frame_grid=28).patch_multiple == 28
    (tmp_path / "preprocessor_config.json").write_text("{bad")
    assert resolved().patch_multiple == 28
    for root in (None, 3, "", "\0", "a" * 5000, str(tmp_path / "none"), "..", "/etc/passwd"):
        stub.models = {"data": [{"id": "m", "root": root}]}
        assert resolved().patch_multiple == 28


def test_settings_of_a_server_that_change_answers_are_compared():
    """Further fields and images, not how many requests are under way."""
    config = EngineConfig(concurrency=4, extra_body={"top_a": 1}, video_as_images=True)
    assert set(numeric_settings(given_settings(config))) == {"extra_body", "video_as_images"}
