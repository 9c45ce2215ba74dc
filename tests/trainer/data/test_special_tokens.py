"""Which special tokens the files of a tokenizer name."""

import json

import pytest

from trainer.data.special_tokens import find_special, special_tokens


def _write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def test_every_form_in_which_transformers_writes_them_is_read(tmp_path):
    """Tags of rationale and answer are no special tokens, nor are tokens that are only added."""
    added = [
        {"id": 1, "content": "<|video_pad|>", "special": True},
        {"id": 2, "content": "<tool_call>", "special": False},
        {"id": 3, "content": "<think>", "special": True},
    ]
    _write(tmp_path / "tokenizer.json", {"added_tokens": added})
    config = {
        "added_tokens_decoder": {"7": {"content": "<|box_start|>", "special": True}},
        "additional_special_tokens": ["<|im_start|>"],
        "eos_token": {"content": "<|im_end|>"},
        "image_token": "<image>",
        "pad_token": None,
    }
    _write(tmp_path / "tokenizer_config.json", config)
    assert special_tokens(tmp_path) == {
        "<|video_pad|>", "<|box_start|>", "<|im_start|>", "<|im_end|>", "<image>",
        "<|placeholder|>",
    }  # fmt: skip


@pytest.mark.parametrize("content", ["", "[]", "{", '{"added_tokens": 3, "eos_token": []}'])
def test_a_file_of_another_form_names_none(tmp_path, content):
    """Loading the tokenizer says what is wrong."""
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    assert special_tokens(tmp_path) == {"<|placeholder|>"}


def test_the_first_token_of_a_text_is_found():
    """Also one that does not begin with a bracket."""
    tokens = frozenset({"<|a|>", "[IMG]"})
    assert find_special("x [IMG] <|a|>", tokens) == "[IMG]"
    assert find_special("1 < 2", tokens) is None
