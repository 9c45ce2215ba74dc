"""What counts as a checkpoint, what is missed in one, and what its identity depends on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import CheckpointError
from harness.models.checkpoint import (
    Checkpoint,
    resolve,
)

NATIVE = {"patch_size": 14, "merge_size": 2}


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_weights(path: Path, values: bytes = bytes(64), name: str = "w") -> None:
    """Write a safetensors file of one tensor by hand."""
    entry = {"dtype": "U8", "shape": [len(values)], "data_offsets": [0, len(values)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, name: entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + values)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    write_json(folder / "config.json", {"model_type": "any"})
    write_json(folder / "tokenizer.json", {"model": {}})
    write_json(folder / "processor_config.json", {"video_processor": NATIVE})
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    write_weights(folder / "model.safetensors")
    return folder


@pytest.fixture
def adapter(model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": str(model)}
    write_json(folder / "adapter_config.json", config)
    write_weights(folder / "adapter_model.safetensors")
    return folder


def test_a_folder_is_a_checkpoint(model):
    """It is named after its folder and has no adapter."""
    checkpoint = resolve(str(model))
    assert (checkpoint.name, checkpoint.path, checkpoint.adapter) == ("model", model, None)
    assert checkpoint.lora_rank == 0
    assert sorted(checkpoint.identity) == [
        *("chat_template", "config", "processor", "tokenizer", "weights")
    ]


def test_a_training_checkpoint_is_named_with_its_run(model, tmp_path):
    """``checkpoint-100`` alone would say nothing on a leaderboard."""
    folder = shutil.copytree(model, tmp_path / "grpo" / "checkpoint-100")
    assert resolve(str(folder)).name == "grpo/checkpoint-100"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", r"no config\.json"),
        ("tokenizer.json", r"no tokenizer \(tokenizer\.json.*copy it from the base model"),
        ("processor_config.json", r"no processor config \(.*copy it from the base model"),
        ("model.safetensors", r"no weights \(\*\.safetensors\)"),
        ("chat_template.jinja", r"no chat template \(chat_template\.jinja\)"),
    ],
)
def test_what_an_engine_would_miss_is_named(model, missing, message):
    """The message says which file and where to get it, before any engine starts."""
    (model / missing).unlink()
    with pytest.raises(CheckpointError, match=message):
        resolve(str(model))


def test_a_missing_shard_is_named(model):
    """An interrupted download is found by the index, not by the engine minutes later."""
    weight_map = {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(model / "model.safetensors.index.json", {"weight_map": weight_map})
    with pytest.raises(CheckpointError, match=r"no model-00002-of-00002\.safetensors"):
        resolve(str(model))


def test_cut_weights_are_refused(model):
    """A file that ends within its header was not downloaded whole."""
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:40])
    with pytest.raises(CheckpointError, match="cut short"):
        resolve(str(model))


def test_broken_json_is_named(model):
    """The file and the place are in the message."""
    (model / "processor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"processor_config\.json: not valid JSON"):
        _ = resolve(str(model)).patch_multiple


@pytest.mark.parametrize("spec", ["no such folder", "one/two/three", "/absent/model"])
def test_what_is_neither_folder_nor_hub_id_is_refused(spec):
    """No network is asked for what cannot be a hub id."""
    with pytest.raises(CheckpointError, match="neither a folder nor a hub id"):
        resolve(spec)


def test_a_file_is_no_checkpoint(model):
    """The folder around it is asked for."""
    with pytest.raises(CheckpointError, match=r"is a file; name the folder"):
        resolve(str(model / "model.safetensors"))


def test_a_hub_id_is_downloaded_at_its_revision(model, monkeypatch):
    """Only what the engines read is fetched, and the display name is the id."""
    asked = {}

    def snapshot_download(repo: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.update(repo=repo, revision=revision, patterns=allow_patterns)
        return str(model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    checkpoint = resolve("org/name@v1.0")
    assert checkpoint.name == "org/name@v1.0"
    assert (asked["repo"], asked["revision"]) == ("org/name", "v1.0")
    assert "*.bin" not in asked["patterns"]


def test_a_hub_failure_names_both_readings(monkeypatch):
    """A misspelt relative folder looks like a hub id."""

    def snapshot_download(repo: str, **options: object) -> str:
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(
        CheckpointError, match=r"no such folder, and the hub did not give it.*offline"
    ):
        resolve("runs/final")


def test_identity_stays_when_the_folder_moves(model, tmp_path):
    """It is made of contents, not of paths or dates."""
    copy = shutil.copytree(model, tmp_path / "elsewhere")
    os.utime(copy / "model.safetensors", (0, 0))
    assert resolve(str(copy)).identity == resolve(str(model)).identity


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("config.json", "config"),
        ("tokenizer.json", "tokenizer"),
        ("processor_config.json", "processor"),
        ("chat_template.jinja", "chat_template"),
    ],
)
def test_identity_moves_with_one_part(model, file, part):
    """A changed file changes its own part only, so a message can name it."""
    before = resolve(str(model)).identity
    (model / file).write_text((model / file).read_text() + " ")
    after = resolve(str(model)).identity
    assert [key for key in before if before[key] != after[key]] == [part]


def test_identity_moves_with_a_training_step(model):
    """Equal shapes with other values are another model."""
    before = resolve(str(model)).identity
    write_weights(model / "model.safetensors", bytes([0] * 63 + [1]))
    assert resolve(str(model)).identity["weights"] != before["weights"]


def test_a_template_inside_a_config_counts(model):
    """Older checkpoints keep it in the tokenizer's config."""
    (model / "chat_template.jinja").unlink()
    write_json(model / "tokenizer_config.json", {"chat_template": "one"})
    before = resolve(str(model)).identity["chat_template"]
    write_json(model / "tokenizer_config.json", {"chat_template": "two"})
    assert resolve(str(model)).identity["chat_template"] != before


def test_an_adapter_points_to_its_base(adapter, model):
    """Weights of the adapter and identity of the base are both kept."""
    checkpoint = resolve(str(adapter))
    assert (checkpoint.path, checkpoint.adapter) == (model, adapter)
    assert (checkpoint.name, checkpoint.lora_rank) == ("adapter", 8)
    assert checkpoint.identity["base"] == resolve(str(model)).identity


def test_an_adapters_base_may_lie_beside_it(adapter, model):
    """A relative base is looked for from the adapter's folder too."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    write_json(adapter / "adapter_config.json", {**config, "base_model_name_or_path": "../model"})
    assert resolve(str(adapter)).path == model


def test_an_adapters_largest_rank_counts(adapter):
    """Single modules may have a rank of their own."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    write_json(adapter / "adapter_config.json", {**config, "rank_pattern": {"q_proj": 32}})
    assert resolve(str(adapter)).lora_rank == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_model_name_or_path": None}, "names no base_model_name_or_path"),
        ({"peft_type": "IA3"}, "IA3 adapter; only LORA"),
    ],
)
def test_an_unusable_adapter_is_refused(adapter, change, message):
    """The message says what is wrong with it."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    write_json(adapter / "adapter_config.json", {**config, **change})
    with pytest.raises(CheckpointError, match=message):
        resolve(str(adapter))


@pytest.mark.parametrize(
    ("files", "patch_multiple"),
    [
        ({"processor_config.json": {"video_processor": {"patch_size": 16, "merge_size": 2}}}, 32),
        ({"preprocessor_config.json": NATIVE}, 28),
        (
            {
                "preprocessor_config.json": NATIVE,
                "video_preprocessor_config.json": {"patch_size": 16, "merge_size": 2},
            },
            32,
        ),
        ({"processor_config.json": {"image_processor": {"patch_size": 16, "merge_size": 2}}}, 32),
        ({"processor_config.json": {}, "preprocessor_config.json": {"size": 336}}, 28),
    ],
)
def test_the_patch_multiple_is_patch_times_merge(model, files, patch_multiple):
    """The video processor's settings win; without any, sides are multiples of 28."""
    (model / "processor_config.json").unlink()
    for name, content in files.items():
        write_json(model / name, content)
    assert resolve(str(model)).patch_multiple == patch_multiple


def test_identities_are_those_of_earlier_versions(model, adapter):
    """Hashes that the first edition stored in manifests, of an adapter on two shards."""
    values = bytes(number * 7 % 251 for number in range(1_000_000))
    (model / "model.safetensors").unlink()
    write_weights(model / "model-1.safetensors", values)
    write_weights(model / "model-2.safetensors", b"x" * 100, "v")
    weight_map = {"w": "model-1.safetensors", "v": "model-2.safetensors"}
    write_json(model / "model.safetensors.index.json", {"weight_map": weight_map})
    write_weights(adapter / "adapter_model.safetensors", values[:5000])
    assert resolve(str(adapter)).identity == {
        "adapter": "2ca1b475de2edb989e0c3ca54d9dc61f6431db09d6dc98ba6d21dc0b7f4a5aa2",
        "weights": "0c1a70702ca171e02ea1337fb1ee134815c260036b6b04d72bbf7d7a59777ded",
        "base": {
            "weights": "82a24d16b724e91f3f54ae6df81a9bca1402a03032f97acaeb0a1f8895185fbf",
            "config": "1db9e41d74c6a7ab5ce4c535a71fed43b6328260fb2c8628ea2c25e846a40a93",
            "tokenizer": "20617a300d32df70c9aa901d57e3bc897affc6e3ae3d08aa04f36589e729acb5",
            "chat_template": "8d85517ecb305b007d68a6c67f4470d04d9acac16ccf4c841388b2553e4788ea",
            "processor": "6f8891d894bcdc724fc128ca723c8c5e2a28e8339a17700b5ff87b9f99e96d5f",
        },
    }


def test_resolving_loads_no_engine(model):
    """A command that only looks at a checkpoint stays quick."""
    code = (
        "import sys; from harness.models.checkpoint import resolve;"
        f"resolve({str(model)!r});"
        "print([name for name in ('torch', 'transformers', 'vllm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_checkpoint_cannot_be_changed(model):
    """Its identity would no longer be its own."""
    checkpoint = resolve(str(model))
    assert isinstance(checkpoint, Checkpoint)
    with pytest.raises(AttributeError):
        checkpoint.name = "other"
