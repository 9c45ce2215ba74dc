"""Weight files are listed and their headers read without loading a tensor."""

import json

import pytest

from harness.errors import CheckpointError
from harness.models.weights import expected_bytes, hash_weights, read_tensors, weight_files
from tests.harness.models.test_checkpoint import write_json, write_weights


def names(folder):
    return [path.name for path in weight_files(folder)]


def test_the_files_are_those_of_the_index(tmp_path):
    """Each once, sorted; one that is not there yet is listed, too."""
    write_weights(tmp_path / "old.safetensors")
    weight_map = {"a": "b.safetensors", "b": "a.safetensors", "c": "b.safetensors"}
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": weight_map})
    assert names(tmp_path) == ["a.safetensors", "b.safetensors"]


def test_without_an_index_every_file_counts_but_an_adapter(tmp_path):
    """A stray adapter file is not part of the model."""
    for name in ("b", "a", "adapter_model"):
        write_weights(tmp_path / f"{name}.safetensors")
    assert names(tmp_path) == ["a.safetensors", "b.safetensors"]


def test_an_adapter_has_its_one_file(tmp_path):
    """Whether it is written yet or not."""
    write_json(tmp_path / "adapter_config.json", {})
    assert names(tmp_path) == ["adapter_model.safetensors"]


@pytest.mark.parametrize("content", [{}, {"weight_map": []}])
def test_a_damaged_index_is_named(tmp_path, content):
    """With what to do."""
    write_json(tmp_path / "model.safetensors.index.json", content)
    with pytest.raises(CheckpointError, match=r"index\.json is damaged .* again"):
        weight_files(tmp_path)


def test_the_header_tells_shapes_and_length(tmp_path):
    """8 bytes of length, the header, 64 bytes of one tensor."""
    path = tmp_path / "model.safetensors"
    write_weights(path)
    assert {name: tensor.shape for name, tensor in read_tensors(path).items()} == {"w": [64]}
    assert expected_bytes(path) == path.stat().st_size


@pytest.mark.parametrize("length", [0, 7, 30])
def test_a_file_cut_within_its_header_is_refused(tmp_path, length):
    """As after an interrupted download."""
    path = tmp_path / "model.safetensors"
    write_weights(path)
    path.write_bytes(path.read_bytes()[:length])
    for use in (read_tensors, expected_bytes, lambda path: hash_weights([path])):
        with pytest.raises(CheckpointError, match=r"model\.safetensors is cut short"):
            use(path)


def test_a_file_that_is_not_safetensors_is_refused(tmp_path):
    """A page of a web server in place of the weights."""
    path = tmp_path / "model.safetensors"
    path.write_text("<!doctype html><title>404</title>")
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        read_tensors(path)


def test_a_file_cut_within_its_tensors_is_shorter_than_expected(tmp_path):
    """Its header is whole."""
    path = tmp_path / "model.safetensors"
    write_weights(path)
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    assert expected_bytes(path) == whole == path.stat().st_size + 10


def test_the_size_of_the_header_is_bounded(tmp_path):
    """A length of 2**62 is damage and is not read into memory."""
    path = tmp_path / "model.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + json.dumps({}).encode())
    with pytest.raises(CheckpointError, match="is cut short"):
        read_tensors(path)
