"""Damaged and contradictory checkpoints are refused with file and field before anything starts."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from harness.errors import CheckpointError
from harness.models.checkpoint import resolve
from tests.harness.models.test_checkpoint import adapter, model, write_json, write_weights
from tests.paths import ROOT

__all__ = ["adapter", "model"]
TRAINED = ROOT / "tasks/motionworld/trained"
INDEX = "model.safetensors.index.json"


def write_tensors(path: Path, entries: dict[str, object], data: bytes) -> None:
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def entry(begin: int, end: int, dtype: str = "U8", shape: list[int] | None = None) -> object:
    shape = [end - begin] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_weights_cut_at_any_place_are_named(tmp_path, share):
    """The case checkpoint_truncated_weights: an interrupted copy of the miniature."""
    folder = Path(shutil.copytree(TRAINED, tmp_path / "ck"))
    weights = folder / "model.safetensors"
    weights.chmod(0o644)
    os.truncate(weights, int(weights.stat().st_size * share))
    with pytest.raises(CheckpointError, match=r"model\.safetensors is cut short"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("entries", "size", "message"),
    [
        ({"a": entry(0, 40), "b": entry(24, 64)}, 64, "'b' overlaps"),
        ({"a": entry(0, 24), "b": entry(40, 64)}, 64, "'b' leaves a gap"),
        ({"a": entry(8, 64)}, 64, "'a' leaves a gap"),
        ({"a": entry(0, 60)}, 64, "longer than its header says"),
        ({"a": entry(0, 70)}, 64, "cut short"),
        ({"a": entry(0, 64, "F32", [4, 5])}, 64, "'a': F32 of shape .* has 80 bytes"),
        ({"a": entry(0, 64, "F99")}, 64, "'a': unknown dtype 'F99'"),
        ({"a": entry(0, 64, "U8", [-64])}, 64, "'a': its shape"),
        ({"a": {"dtype": "U8", "shape": [64]}}, 64, "'a': its data_offsets"),
        ({"a": {"dtype": "U8", "shape": [64], "data_offsets": [64, 0]}}, 64, "data_offsets"),
        ({"a": [1, 2]}, 64, "'a': expected an object"),
        ({}, 0, "hold no tensor"),
    ],
)
def test_headers_that_contradict_their_file_are_named(model, entries, size, message):
    """With the tensor."""
    write_tensors(model / "model.safetensors", entries, bytes(size))
    with pytest.raises(CheckpointError, match=message):
        resolve(str(model))


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        ("F32", struct.pack("<f", float("nan"))),
        ("F32", struct.pack("<f", float("-inf"))),
        ("F16", struct.pack("<e", float("nan"))),
        ("BF16", b"\xc0\x7f"),
        ("BF16", b"\x80\xff"),
        ("F64", struct.pack("<d", float("inf"))),
    ],
)
def test_one_weight_that_is_not_finite_is_named(model, dtype, bits):
    """Anywhere in a small checkpoint; such a model scored 0 with exit 0."""
    count = 1000
    data = bytearray(count * len(bits))
    data[-len(bits) :] = bits
    entries = {"sound": entry(0, 8), "w": entry(8, 8 + len(data), dtype, [count])}
    write_tensors(model / "model.safetensors", entries, bytes([255]) * 8 + bytes(data))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor 'w' holds NaN"):
        resolve(str(model))


@pytest.mark.parametrize("at", [0, 777_777, (3 << 20) - 1])
@pytest.mark.parametrize("bits", [0x7F80, 0xFFC0])
def test_one_weight_of_millions_is_found(model, at, bits):
    """Every weight is read; here of a tensor of 6 MiB behind one of three bytes."""
    weights = np.zeros(3 << 20, dtype="<u2")
    weights[at] = bits
    data = bytes(3) + weights.tobytes()
    entries = {"odd": entry(0, 3), "w": entry(3, len(data), "BF16", [3 << 20])}
    write_tensors(model / "model.safetensors", entries, data)
    with pytest.raises(CheckpointError, match="tensor 'w' holds NaN"):
        resolve(str(model))


@pytest.mark.parametrize(
    ("dtype", "numbers"),
    [
        ("F32", np.array([3.4e38, -3.4e38, 0.0, 1e-45], dtype="<f4")),
        ("F64", np.array([1.7e308, -1.7e308, -0.0], dtype="<f8")),
        ("F16", np.array([65504, -65504, -0.0], dtype="<f2")),
        ("BF16", np.array([0x7F7F, 0xFF7F, 0x8000], dtype="<u2")),
        ("F8_E4M3", np.array([0x7E, 0xFE, 0x80], dtype="u1")),
        ("F8_E5M2", np.array([0x7B, 0xFB, 0x80], dtype="u1")),
        ("U8", np.array([0xFF], dtype="u1")),
    ],
)
def test_the_largest_numbers_are_finite(model, dtype, numbers):
    """Only a full exponent is not."""
    data = numbers.tobytes()
    entries = {"w": entry(0, len(data), dtype, [len(numbers)])}
    write_tensors(model / "model.safetensors", entries, data)
    resolve(str(model))


def write_layers(model: Path, names: list[str], layers: int) -> None:
    entries = {name: entry(number, number + 1) for number, name in enumerate(names)}
    write_tensors(model / "model.safetensors", entries, bytes(len(names)))
    config = json.loads((model / "config.json").read_text())
    write_json(model / "config.json", config | {"text_config": {"num_hidden_layers": layers}})


def layer_names(*absent: str, layers: int = 8) -> list[str]:
    weights = ("attn.q.weight", "mlp.up.weight", "norm.weight")
    text = [f"model.layers.{n}.{name}" for n in range(layers) for name in weights]
    vision = [f"visual.blocks.{n}.{name}" for n in range(9) for name in weights]
    return [name for name in ["lm_head.weight", *text, *vision] if name not in absent]


@pytest.mark.parametrize(
    "absent", ["model.layers.0.norm.weight", "model.layers.3.mlp.up.weight",
               "visual.blocks.2.attn.q.weight"],
)  # fmt: skip
def test_a_weight_that_one_layer_lacks_is_named(model, absent):
    """Without an index and without torch: the other layers have it."""
    write_layers(model, layer_names(absent), 8)
    with pytest.raises(CheckpointError, match=rf"lacks 1 weights .*, first {absent};"):
        resolve(str(model))


@pytest.mark.parametrize(("there", "said"), [(7, 8), (1, 28)])
def test_fewer_layers_than_the_config_says_are_named(model, there, said):
    """The last ones are gone; the vision tower has more, which does not matter."""
    write_layers(model, layer_names(layers=there), said)
    with pytest.raises(CheckpointError, match=f"has {there} of the {said} layers"):
        resolve(str(model))


def test_a_layer_amid_the_others_that_is_gone_is_named(model):
    """Its weights are counted."""
    gone = [name for name in layer_names() if ".layers.2." in name]
    write_layers(model, layer_names(*gone), 8)
    with pytest.raises(CheckpointError, match=r"lacks 3 weights .*, first model\.layers\.2\.attn"):
        resolve(str(model))


def test_layers_of_several_kinds_are_no_fault(model):
    """A dense first layer, experts, states, a further layer for drafts, a tower of stages."""
    first = ["model.layers.0.mlp.up.weight", "model.layers.0.norm.weight"]
    experts = [
        f"model.layers.{n}.{name}" for n in range(1, 12)
        for name in ("mlp.experts.0.weight", "mlp.experts.1.weight", "norm.weight")
    ]  # fmt: skip
    write_layers(model, [*first, *experts], 11)
    resolve(str(model))
    mixed = [f"model.layers.{n}.{'attn' if n % 2 else 'state'}.weight" for n in range(12)]
    write_layers(model, mixed, 12)
    resolve(str(model))
    stages = [f"visual.layers.{n}.{name}" for n in range(4) for name in ("mlp", "down")][:-1]
    write_layers(model, [*stages, *mixed], 12)
    resolve(str(model))


def shard(model: Path, *names: str) -> dict[str, str]:
    """Replace the weights by one shard per tensor, and write their index."""
    (model / "model.safetensors").unlink()
    weight_map = {}
    for number, name in enumerate(names, 1):
        weight_map[name] = f"model-{number:05}-of-{len(names):05}.safetensors"
        write_weights(model / weight_map[name], name=name)
    write_json(model / INDEX, {"metadata": {}, "weight_map": weight_map})
    return weight_map


def test_shards_and_their_index_are_one_checkpoint(model):
    """Files that no engine loads beside them do not count."""
    shard(model, "a", "b")
    before = resolve(str(model)).identity
    (model / "pytorch_model.bin").write_bytes(b"x")
    write_weights(model / "of_another_tool.safetensors")
    assert resolve(str(model)).identity == before


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("../secret.safetensors", "every weight file has to lie in the folder"),
        ("/etc/secret.safetensors", "every weight file has to lie in the folder"),
        ("sub/w.safetensors", "every weight file has to lie in the folder"),
        ("w\0.safetensors", "every weight file has to lie in the folder"),
        ("model.bin", "expected the name of a safetensors file"),
        (7, "expected the name of a safetensors file"),
        (None, "expected the name of a safetensors file"),
        ("absent.safetensors", r"no absent\.safetensors"),
    ],
)
def test_an_index_that_leads_elsewhere_is_refused(model, place, message):
    """Nothing outside of the folder is read."""
    weight_map = shard(model, "a", "b")
    write_weights(model.parent / "secret.safetensors", name="a")
    write_json(model / INDEX, {"weight_map": {**weight_map, "a": place}})
    with pytest.raises(CheckpointError, match=message):
        resolve(str(model))


def test_a_tensor_that_the_index_promises_is_looked_for(model):
    """And one that two files hold is one too many."""
    weight_map = shard(model, "a", "b")
    write_json(model / INDEX, {"weight_map": {**weight_map, "c": weight_map["a"]}})
    with pytest.raises(CheckpointError, match="'c' is not in model-00001"):
        resolve(str(model))
    write_json(model / INDEX, {"weight_map": weight_map})
    write_weights(model / weight_map["b"], name="a")
    with pytest.raises(CheckpointError, match=r"'a' is in model-00001.* and in model-00002"):
        resolve(str(model))


@pytest.mark.parametrize(
    ("also", "named"),
    [
        ("model-00001-of-00001.safetensors", "several sets"),
        ("consolidated.safetensors", r"vLLM consolidated\.safetensors"),
        ("model.fp16.safetensors", r"model\.fp16\.safetensors"),
        ("adapter_model.safetensors", r"adapter_model\.safetensors"),
    ],
)
def test_several_sets_of_weights_are_refused_with_their_names(model, also, named):
    """Transformers would load one, vLLM the other or both, under one identity."""
    write_weights(model / also)
    with pytest.raises(CheckpointError, match=named):
        resolve(str(model))


def test_a_single_file_beside_an_index_of_others_is_refused(model):
    """Transformers prefers the file, vLLM the index."""
    shard(model, "a", "b")
    write_weights(model / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"transformers would load model\.safetensors, vLLM model-00001"
    ):
        resolve(str(model))


def test_shards_without_an_index_are_refused(model):
    """VLLM would load them all, transformers none."""
    shard(model, "a", "b")
    (model / INDEX).unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor .*model-00001-of"):
        resolve(str(model))


def test_weights_in_another_format_are_named(model):
    """With what to do."""
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no weights .*pytorch_model\.bin is not read"):
        resolve(str(model))


def test_an_adapter_beside_a_model_is_ambiguous(adapter):
    """One folder is one of them."""
    write_weights(adapter / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"an adapter .* and a model \(model\.safetensors\)"):
        resolve(str(adapter))


@pytest.mark.parametrize(
    "change",
    [{"r": None}, {"r": "8"}, {"r": 0}, {"r": 10**9}, {"r": True}, {"rank_pattern": {"q": "x"}},
     {"rank_pattern": [8]}],
)  # fmt: skip
def test_ranks_that_are_none_are_named(adapter, change):
    """Not an exception of the engine."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    write_json(adapter / "adapter_config.json", {**config, **change})
    with pytest.raises(CheckpointError, match=r"adapter_config\.json: r: expected"):
        resolve(str(adapter))


def test_an_adapter_on_an_adapter_is_refused(adapter, tmp_path):
    """Engines load one."""
    second = Path(shutil.copytree(adapter, tmp_path / "second"))
    config = json.loads((second / "adapter_config.json").read_text())
    write_json(second / "adapter_config.json", {**config, "base_model_name_or_path": str(adapter)})
    with pytest.raises(CheckpointError, match="is an adapter, too"):
        resolve(str(second))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", "", "it is empty"),
        ("config.json", "{}", "is an empty object"),
        ("config.json", '{"model_type": "qwen', "not valid JSON"),
        ("config.json", "[]", "holds a list"),
        ("config.json", "[" * 100_000, "nested too deeply"),
        ("config.json", '{"vocab_size": ' + "9" * 5000 + "}", "not valid JSON"),
        ("config.json", '{"model_type": 3}', "model_type: expected a name, got 3"),
        ("config.json", '{"vision_config": {"patch_size": 0}}', r"vision_config\.patch_size: .* 0"),
        ("config.json", '{"vision_config": []}', "vision_config: expected a JSON object"),
        ("config.json", '{"text_config": {"hidden_size": "64"}}', r"text_config\.hidden_size"),
        ("config.json", '{"num_hidden_layers": 1e3}', "num_hidden_layers"),
        ("config.json", '{"num_attention_heads": -2}', "num_attention_heads"),
        ("config.json", '{"vocab_size": 99999999999999}', "vocab_size"),
        ("config.json", '{"video_token_id": "<|video|>"}', "video_token_id: expected the number"),
        ("generation_config.json", '{"eos_token_id": "</s>"}', "eos_token_id"),
        ("generation_config.json", '{"eos_token_id": [1, null]}', "eos_token_id"),
        ("generation_config.json", "nothing", "not valid JSON"),
        ("preprocessor_config.json", '{"patch_size": 0}', "patch_size"),
        ("preprocessor_config.json", '{"image_std": [0.2, 0, 0.2]}', "image_std: expected numbers"),
        ("preprocessor_config.json", '{"rescale_factor": "1/255"}', "rescale_factor"),
        ("processor_config.json", '{"video_processor": 4}', "video_processor: expected a JSON"),
        ("processor_config.json", '{"video_processor": {"merge_size": 0}}', r"\.merge_size"),
        ("tokenizer.json", '{"model": {', "not valid JSON"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_right_is_named(model, file, content, message):
    """File and field, before an engine starts."""
    (model / file).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message) as caught:
        resolve(str(model))
    assert file in str(caught.value)


def test_a_processor_of_another_model_is_named(model):
    """Its patches would not fit the model's."""
    write_json(model / "config.json", {"model_type": "x", "vision_config": {"patch_size": 16}})
    with pytest.raises(CheckpointError, match=r"patch_size is 14, and config\.json says .* = 16"):
        resolve(str(model))


TEXT = "{{ messages }}"
NAMED = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": TEXT}]


@pytest.mark.parametrize(
    "files",
    [
        {"chat_template.json": {"chat_template": TEXT}},
        {"tokenizer_config.json": {"chat_template": TEXT}},
        {"tokenizer_config.json": {"chat_template": NAMED}},
        {"tokenizer_config.json": {"chat_template": {"default": TEXT, "rag": "x"}}},
        {"additional_chat_templates/default.jinja": TEXT, "additional_chat_templates/a.jinja": "x"},
        {"chat_template.jinja": TEXT, "additional_chat_templates/tool_use.jinja": "x"},
        {"chat_template.json": {"chat_template": TEXT}, "chat_template.jinja": "other"},
        {"chat_template.jinja": TEXT, "tokenizer_config.json": {"chat_template": "other"}},
    ],
)
def test_every_form_of_a_chat_template_is_found(model, files):
    """In the order of transformers."""
    from harness.models.chat_template import find_chat_template

    (model / "chat_template.jinja").unlink()
    for name, content in files.items():
        path = model / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            write_json(path, content)
    assert find_chat_template(model).text == TEXT
    assert len(resolve(str(model)).identity["chat_template"]) == 64


def test_a_template_in_the_processors_config_comes_first(model):
    """Transformers prefers it to a file."""
    from harness.models.chat_template import find_chat_template

    write_json(model / "processor_config.json", {"chat_template": "first"})
    assert find_chat_template(model).text == "first"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer_config.json": {"chat_template": 5}}, "expected a text, got int"),
        ({"tokenizer_config.json": {"chat_template": [5]}}, "list of objects with name"),
        ({"tokenizer_config.json": {"chat_template": NAMED[:1]}}, r"none is named 'default'.*tool"),
        ({"tokenizer_config.json": {"chat_template": []}}, "none is named 'default'"),
        ({"tokenizer_config.json": {"chat_template": " "}}, "is empty"),
        ({"chat_template.json": {}}, "expected a text, got NoneType"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(model, files, message):
    """With its file."""
    (model / "chat_template.jinja").unlink()
    for name, content in files.items():
        write_json(model / name, content)
    with pytest.raises(CheckpointError, match=message):
        resolve(str(model))


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change a file a little: bytes, cuts, repeats, or a JSON value for another."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) or 1)
        match rng.randrange(6):
            case 0 if out:
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + rng.randint(1, 30)]
            case 2:
                out[at:at] = out[at : at + rng.randint(1, 30)]
            case 3:
                out[at:at] = rng.choice([b"null", b"-1", b"1e999", b"[]", b"{", b'"', b"\xff"])
            case 4:
                del out[at:]
            case 5:
                old = rng.choice([b"64", b"14", b"0", b'"w"', b'"U8"', b"model"])
                new = rng.choice([b"0", b"-7", b"9" * 30, b"null", b'"x"', b"../a", b"[1]"])
                out = bytearray(bytes(out).replace(old, new))
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_read_or_refused(model, adapter, seed):
    """Never another exception: 4 x 150 mutations of every file that is read."""
    shard(model, "w", "v")
    write_json(
        model / "config.json",
        {
            "model_type": "x",
            "text_config": {"hidden_size": 64},
            "vision_config": {"patch_size": 14},
        },
    )
    write_json(model / "tokenizer_config.json", {"chat_template": NAMED})
    write_json(model / "generation_config.json", {"eos_token_id": [1, 2]})
    rng = random.Random(seed)
    files = [path for folder in (model, adapter) for path in folder.iterdir()]
    refused = 0
    for _ in range(150):
        path = rng.choice(files)
        whole = path.read_bytes()
        path.write_bytes(mutate(whole, rng))
        try:
            checkpoint = resolve(str(adapter))
            assert checkpoint.patch_multiple > 0
            assert checkpoint.lora_rank > 0
        except CheckpointError:
            refused += 1
        path.write_bytes(whole)
    assert refused > 50
    resolve(str(adapter))
