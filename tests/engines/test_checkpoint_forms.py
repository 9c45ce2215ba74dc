"""Every form in which transformers saves a chat template answers alike; broken models say so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

from asking import ask, questions

from harness.backends import chat
from harness.backends.preflight import check_engine
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint, resolve
from harness.schema import Completion, Failure, Prompt

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
JINJA = "chat_template.jinja"


@pytest.fixture
def copy(checkpoint_of, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoint_of("qwen2_5_vl").path, tmp_path / "model"))


def put_field(path: Path, name: str, value: object) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, name: value}))


def move_template(folder: Path, form: str) -> Checkpoint:
    """Save the folder's template in another form."""
    text = (folder / JINJA).read_text()
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": text}]
    if form != "jinja, additional folder":
        (folder / JINJA).unlink()
    match form:
        case "tokenizer, text":
            put_field(folder / "tokenizer_config.json", "chat_template", text)
        case "tokenizer, list":
            put_field(folder / "tokenizer_config.json", "chat_template", named)
        case "processor, text":
            put_field(folder / "processor_config.json", "chat_template", text)
        case "legacy":
            put_field(folder / "chat_template.json", "chat_template", text)
        case _:
            additional = folder / "additional_chat_templates"
            additional.mkdir()
            (additional / "tool_use.jinja").write_text("x")
            if form == "additional folder":
                (additional / "default.jinja").write_text(text)
    return resolve(str(folder))


@pytest.mark.parametrize(
    "form",
    [
        "tokenizer, text",
        "tokenizer, list",
        "processor, text",
        "legacy",
        "additional folder",
        "jinja, additional folder",
    ],
)
def test_every_form_of_a_template_gives_the_same_prompt(checkpoint_of, copy, form):
    """The prompt of the folder with chat_template.jinja."""
    prompt = Prompt(text="Which way?", system="Look.", prefill="<think>")
    expected = chat.render(chat.load_processor(checkpoint_of("qwen2_5_vl")), prompt, ())
    moved = chat.load_processor(move_template(copy, form))
    assert chat.render(moved, prompt, ()) == expected


def texts(backend, checkpoint: Checkpoint) -> dict[str, str]:
    asked = list(questions(checkpoint.patch_multiple))[:3]
    try:
        return {name: one.text for name, one in ask(backend, asked).items()}
    finally:
        backend.close()


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_a_template_in_the_tokenizers_config_answers_alike(name, reference, copy, small_cpu_cache):
    """It used to be accepted, and every item failed."""
    pytest.importorskip(name, reason=f"needs the heavy environment: {name} is not installed")
    checkpoint = move_template(copy, "tokenizer, text")
    if name == "vllm":
        from harness.backends.vllm import VLLMBackend as Backend
    else:
        from harness.backends.transformers import TransformersBackend as Backend
    expected = reference("qwen2_5_vl")
    found = texts(Backend(checkpoint), checkpoint)
    assert found == {name: expected[name].text for name in found}


def overflow(folder: Path) -> Checkpoint:
    """Scale the last norm until every logit is infinite or NaN; the weights stay finite."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    (name,) = (
        one
        for one in weights
        if one.endswith("norm.weight") and ".layers." not in one and "visual" not in one
    )
    weights[name] = torch.full_like(weights[name], 3e38)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return resolve(str(folder))


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_logits_that_are_no_numbers_are_a_failure(name, copy, small_cpu_cache):
    """Greedy decoding would make a text of them that is scored as wrong."""
    pytest.importorskip(name, reason=f"needs the heavy environment: {name} is not installed")
    checkpoint = overflow(copy)
    if name == "vllm":
        from harness.backends.vllm import VLLMBackend as Backend
    else:
        from harness.backends.transformers import TransformersBackend as Backend
    backend = Backend(checkpoint)
    asked = list(questions(checkpoint.patch_multiple))[:2]
    try:
        answers = [answer for _, answer in backend.generate(asked)]
    finally:
        backend.close()
    assert [type(one) for one in answers] == [Failure, Failure]
    assert all("NaN or infinite" in one.message for one in answers)
    assert not any(isinstance(one, Completion) for one in answers)


def test_a_dry_run_names_a_weight_that_the_model_lacks(copy):
    """Without reading the weights."""
    from safetensors.torch import load_file, save_file

    check_engine(resolve(str(copy)), "transformers")
    weights = load_file(copy / "model.safetensors")
    lost = next(name for name in weights if name.endswith("down_proj.weight"))
    del weights[lost]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match=r"lacks 1 weights .*down_proj\.weight"):
        check_engine(resolve(str(copy)), "transformers")


def test_a_template_that_renders_no_prompt_is_named(copy):
    """Before an item is asked."""
    (copy / JINJA).write_text("{{ raise_exception('no') }}")
    with pytest.raises(BackendError, match=r"chat_template\.jinja: the chat template renders no"):
        chat.load_processor(resolve(str(copy)))
