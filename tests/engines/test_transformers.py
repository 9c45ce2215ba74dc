"""The transformers engine on tiny random checkpoints of four architectures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from asking import GREEDY, ask, clip, image, questions, request

from harness.errors import BackendError
from harness.models.checkpoint import resolve
from harness.schema import Completion, Failure, Prompt, Sampling

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("transformers", reason="needs the heavy environment: no transformers")

from harness.backends.transformers import TransformersBackend, TransformersConfig

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
NATIVE = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]


@pytest.fixture(scope="module")
def backend(checkpoint_of):
    backend = TransformersBackend(checkpoint_of("qwen2_5_vl"), TransformersConfig(batch_size=3))
    yield backend
    backend.close()


@pytest.mark.parametrize("name", [*NATIVE, "llava_onevision"])
def test_every_kind_of_input_is_answered(reference, name):
    """Video, image, both, several, single and odd frames and no media at all get a text."""
    answers = reference(name)
    assert [name for name, answer in answers.items() if isinstance(answer, Failure)] == []
    assert all(0 < answer.output_tokens <= GREEDY.max_tokens for answer in answers.values())


@pytest.mark.parametrize("name", NATIVE)
def test_frames_are_not_resized_a_second_time(checkpoint_of, name):
    """A clip of T frames on an r x c grid becomes T/2 * r * c video tokens."""
    checkpoint = checkpoint_of(name)
    backend = TransformersBackend(checkpoint)
    inputs = backend._make_inputs([request("x", clips=[clip(checkpoint.patch_multiple, 1)])])
    video_token = backend._processor.video_token_id
    assert (inputs["input_ids"] == video_token).sum() == 4 / 2 * 2 * 3
    assert inputs["video_grid_thw"].tolist() == [[2, 2 * 2, 3 * 2]]


@pytest.mark.parametrize("name", [*NATIVE, "llava_onevision"])
def test_answers_depend_on_clip_and_question(reference, name):
    """Other frames or another question change most answers, so the model sees both."""
    answers = reference(name)
    texts = {answers[f"clip-{seed}/{turn}"].text for seed in range(9) for turn in range(4)}
    assert len(texts) > 18


def test_frame_times_reach_the_model(checkpoint_of):
    """The seconds between frames follow the clip's own frame rate and sampling."""
    backend = TransformersBackend(checkpoint_of("qwen2_5_vl"))
    inputs = backend._make_inputs([request("x", clips=[clip(28, 1)])])
    # 4 frames of 20 at 10 per second: 2 shown per second, and 2 frames make one temporal patch.
    assert float(inputs["second_per_grid_ts"][0]) == pytest.approx(2 / (4 / 20 * 10))


def test_order_of_frames_changes_the_answer(backend):
    """The same frames backwards, at the same times, are another input."""
    forward = clip(28, 7)
    backward = replace(forward, key="backward", frames=forward.frames[::-1].copy())
    names = [f"{order}{turn}" for order in "fb" for turn in range(3)]
    asked = [
        request(name, f"Question {name[1]}?", [forward if name[0] == "f" else backward])
        for name in names
    ]
    answers = ask(backend, asked)
    assert [answers[f"f{turn}"].text for turn in range(3)] != [
        answers[f"b{turn}"].text for turn in range(3)
    ]


def test_greedy_is_the_plain_argmax(backend):
    """The checkpoint's own sampling defaults (top_k, repetition penalty) do not leak in."""
    import torch

    asked = request("x", clips=[clip(28, 3)])
    inputs = backend._make_inputs([asked])
    expected = []
    for _ in range(GREEDY.max_tokens):
        with torch.inference_mode():
            logits = backend._model(**inputs, use_cache=False).logits
        token = int(logits[0, -1].argmax())
        expected.append(token)
        if token in backend._stop_ids:
            break
        extra = torch.tensor([[token]])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], extra], dim=1)
        inputs["attention_mask"] = torch.cat([inputs["attention_mask"], extra * 0 + 1], dim=1)
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], extra * 0], dim=1)
    assert list(ask(backend, [asked])["x"].token_ids) == expected


def test_a_bad_clip_costs_its_own_request_only(backend):
    """Frames off the grid cannot be processed; the rest of the batch is answered as alone."""
    bad = replace(clip(28, 4), key="bad", frames=clip(28, 4).frames[:, :30, :30])
    good = [request("before", clips=[clip(28, 5)]), request("after", clips=[clip(28, 6)])]
    answers = ask(backend, [good[0], request("bad", clips=[bad]), good[1]])
    assert isinstance(answers["bad"], Failure)
    assert answers["bad"].stage == "generate"
    alone = ask(backend, good)
    assert {name: answers[name].token_ids for name in alone} == {
        name: answer.token_ids for name, answer in alone.items()
    }


def test_answers_do_not_depend_on_the_batch(reference, checkpoint_of):
    """One at a time, without any padding, the texts are those of batches of eight."""
    alone = TransformersBackend(checkpoint_of("qwen2_5_vl"), TransformersConfig(batch_size=1))
    some = questions(28)[::4]
    answers = ask(alone, some)
    batched = reference("qwen2_5_vl")
    assert {name: batched[name].token_ids for name in answers} == {
        name: answer.token_ids for name, answer in answers.items()
    }


def test_prefill_is_read_but_not_returned(backend):
    """The assistant turn begins with the prefill, which is no part of the text."""
    plain, prefilled = Prompt(text="And now?"), Prompt(text="And now?", prefill="<think>")
    answers = ask(backend, [request("a", prompt=plain), request("b", prompt=prefilled)])
    assert answers["b"].prompt_tokens > answers["a"].prompt_tokens
    assert not answers["b"].text.startswith("<think>")


def test_sampling_follows_the_seed(backend):
    """Equal seeds give equal texts, other seeds other ones, and batches never mix settings."""
    warm = Sampling(temperature=1.0, top_p=0.95, max_tokens=12, seed=1)
    asked = [
        request("one", sampling=warm),
        request("two", sampling=replace(warm, seed=2)),
        request("greedy"),
        request("again", sampling=warm),
    ]
    answers = ask(backend, asked)
    assert answers["one"].token_ids == answers["again"].token_ids
    assert len({answers[name].token_ids for name in ("one", "two", "greedy")}) == 3


def test_batches_do_not_share_their_random_numbers(backend):
    """One question, first in three batches of three beside other ones, is answered differently."""
    warm = Sampling(temperature=1.0, max_tokens=12, seed=1)
    first = Prompt(text="And now?")
    asked = [
        request(str(at), prompt=Prompt(text=f"Say {at}.") if at % 3 else first, sampling=warm)
        for at in range(9)
    ]
    answers = ask(backend, asked)
    assert len({answers[name].token_ids for name in ("0", "3", "6")}) == 3


def test_sampling_settings_reach_the_model(backend):
    """One probable token is greedy; a stop text ends the answer and is no part of it."""
    warm = Sampling(temperature=1.0, max_tokens=12, seed=3)
    answers = ask(
        backend,
        [
            request("greedy"),
            request("top_k", sampling=replace(warm, top_k=1)),
            request("min_p", sampling=replace(warm, min_p=1.0)),
        ],
    )
    assert answers["top_k"].token_ids == answers["min_p"].token_ids == answers["greedy"].token_ids
    whole = answers["greedy"].text
    stop = whole[len(whole) // 2 :][:3]
    cut = ask(backend, [request("x", sampling=replace(GREEDY, stop=(stop,)))])["x"]
    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish_reason == "stop"


def test_finish_reason_tells_a_cut_from_an_end(reference):
    """An answer that used all its tokens was cut; one that ended by itself is shorter."""
    answers = list(reference("qwen2_5_vl").values())
    reasons = {answer.finish_reason for answer in answers}
    assert reasons == {"stop", "length"}
    cut = [answer for answer in answers if answer.finish_reason == "length"]
    assert all(answer.output_tokens == GREEDY.max_tokens for answer in cut)


def test_adapter_changes_the_answers(reference):
    """A LoRA adapter is applied on top of its base model."""
    adapted, base = reference("language_adapter"), reference("qwen2_5_vl")
    assert sum(adapted[name].text != base[name].text for name in base) > len(base) / 2


def test_missing_weights_are_refused(checkpoint_of, tmp_path: Path):
    """Weights that transformers would fill in at random stop the start instead."""
    from safetensors.torch import load_file, save_file

    folder = copytree(checkpoint_of("qwen2_5_vl").path, tmp_path / "partial")
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match=r"lacks 1 weights .* lm_head.weight"):
        TransformersBackend(resolve(str(folder)))


@pytest.mark.parametrize("name", [*NATIVE, "llava_onevision"])
def test_nothing_is_printed(checkpoint_of, capfd, recwarn, name):
    """Starting and answering is silent: no advice, no progress bars, no warnings."""
    checkpoint = checkpoint_of(name)
    patch_multiple = checkpoint.patch_multiple
    capfd.readouterr()
    recwarn.clear()
    backend = TransformersBackend(checkpoint)
    answers = ask(
        backend,
        [
            request("video", clips=[clip(patch_multiple, 1)]),
            request("image", clips=[image(patch_multiple, 2)]),
        ],
    )
    assert all(isinstance(answer, Completion) for answer in answers.values())
    assert capfd.readouterr() == ("", "")
    assert [str(warning.message) for warning in recwarn] == []
