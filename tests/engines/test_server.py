"""The OpenAI engine against a real vLLM server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from asking import ask, clip, disagreements, questions, request
from serving import serve

from harness.backends import chat
from harness.backends.openai import OpenAIBackend, ServerConfig
from harness.cli import main
from harness.errors import CheckpointError
from harness.models.server import served
from harness.run.store import (
    read_manifest,
    read_records,
)
from harness.schema import Completion, Failure, Sampling
from trainer.serving.command import EXTENSION

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]


@pytest.fixture(scope="module")
def server(checkpoint_of, small_cpu_cache, tmp_path_factory) -> Iterator[str]:
    """Serve the tiny Qwen2.5-VL as ``tiny`` and give the base URL; trainings may use it, too."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    checkpoint = checkpoint_of("qwen2_5_vl")
    options = json.dumps(chat.media_options(chat.load_processor(checkpoint)))
    flags = ("--worker-extension-cls", EXTENSION, "--mm-processor-kwargs", options)
    with serve(checkpoint.path, log, flags) as url:
        yield url


@pytest.fixture
def backend(server) -> Iterator[OpenAIBackend]:
    backend = OpenAIBackend(served(server))
    yield backend
    backend.close()


def test_answers_are_those_of_the_local_engine(backend, reference):
    """Frames travel without loss and times exactly: the server writes the same tokens."""
    ours, theirs = ask(backend, questions(28)), reference("qwen2_5_vl")
    different = disagreements(ours, theirs)
    assert len(different) <= 0.05 * len(theirs), "\n".join(different)
    assert {name: answer.prompt_tokens for name, answer in ours.items()} == {
        name: answer.prompt_tokens for name, answer in theirs.items()
    }


def test_one_command_evaluates_a_served_model(server, demo_data, tmp_path):
    """``eval NAME --base-url URL`` scores what the server holds, and says so in the manifest."""
    code = main([
        "eval", "tiny", "--base-url", server, "--data", str(demo_data), "--protocol", "official",
        "--tasks", "vsibench,tempcompass:yes_no", "--limit", "4", "--max-frames", "4",
        "--max-pixels", "18816", "--out", str(tmp_path),
    ])  # fmt: skip
    assert code == 0
    manifest = read_manifest(tmp_path)
    assert manifest["backend"] == "openai"
    assert manifest["checkpoint"]["model"] == "tiny"
    assert len(read_records(tmp_path)) == 8


def test_more_frames_than_the_server_keeps_by_itself(backend, checkpoint_of):
    """All of 40 frames arrive, although a vLLM server keeps 32 unless told otherwise."""
    short, long = (request(str(n), clips=[clip(28, 1, frames=n)]) for n in (4, 40))
    answers = ask(backend, [short, long])
    assert answers["40"].prompt_tokens - answers["4"].prompt_tokens == (40 - 4) / 2 * 2 * 3


def test_a_request_that_is_too_long_fails_alone(backend):
    """The server's refusal is a failure of that request only."""
    long = request("long", sampling=Sampling(temperature=0.0, max_tokens=4096))
    answers = ask(backend, [request("a"), long, request("b")])
    assert isinstance(answers["long"], Failure)
    assert isinstance(answers["a"], Completion)
    assert isinstance(answers["b"], Completion)


def test_videos_of_different_times_cannot_share_a_request(backend):
    """vLLM's API has one time base per request; a wrong one is never sent."""
    slow = replace(clip(28, 2), key="slow", timestamps=(0.0, 1.0, 2.0, 3.0))
    answer = ask(backend, [request("x", clips=[clip(28, 1), slow])])["x"]
    assert isinstance(answer, Failure)
    assert "frame times" in answer.message


def test_frames_can_be_sent_as_images(server):
    """Plain OpenAI requests work with any server."""
    backend = OpenAIBackend(served(server), ServerConfig(video_as_images=True))
    answer = ask(backend, [request("x", clips=[clip(28, 1)])])["x"]
    backend.close()
    assert isinstance(answer, Completion)
    # Every frame is an image of its own here: no two are merged.
    blind = ask(backend := OpenAIBackend(served(server)), [request("x")])["x"]
    backend.close()
    assert answer.prompt_tokens - blind.prompt_tokens == 4 * (2 * 3 + 2)


def test_the_model_is_looked_up(server):
    """A name the server does not list is refused, with those it does list."""
    assert served(server).model == "tiny"
    with pytest.raises(CheckpointError, match="no model 'other'; it lists: tiny"):
        served(server, "other")


def test_a_training_samples_with_the_server_and_gives_it_new_weights(
    server, checkpoint_of, tmp_path
):
    """The server's log-probabilities are the trainer's in every update, ordered and shuffled: it
    sees the same frames and has the weights of the step. One batch ahead they are not.
    """
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from tests.trainer.small_runs import rows, tgrpo_recipe, train_small
    from trainer.algorithms import tgrpo
    from trainer.config.choices import RolloutEngine
    from trainer.serving.server import RolloutServer

    checkpoint = checkpoint_of("qwen2_5_vl").path
    media = rows(tmp_path / "media", videos=2, images=1)
    largest = {}
    for ahead in (0, 1):
        recipe = tgrpo_recipe(checkpoint, tmp_path, max_steps=3, learning_rate=1e-2)
        rollout = replace(
            recipe.rollout, engine=RolloutEngine.VLLM_SERVER, servers=(server,), ahead=ahead
        )
        out = tmp_path / f"run-{ahead}"
        train_small(tgrpo, replace(recipe, rollout=rollout), out, rows=media)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()][:3]
        largest[ahead] = [line["sampling/sampling_logp_difference/max"] for line in lines]
    assert max(largest[0]) < 1e-3
    assert largest[1][0] < 1e-3
    assert min(largest[1][1:]) > 1e-3
    RolloutServer(server).load_weights(checkpoint, alone=True)  # for the tests that follow
