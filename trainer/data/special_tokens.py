"""Read the special tokens of a checkpoint, which no text of a row may hold.

A tokenizer finds them in any text: ``<|video_pad|>`` in a question is one more vision token, for
which there are no pixels, and ``<|im_end|>`` ends the user's turn. Only JSON files are read: a dry
run needs no transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OWN_TAGS = frozenset({"<think>", "</think>", "<answer>", "</answer>"})
"""Tokens of some checkpoints that rationales and solutions are made of."""
_OF_PROCESSORS = frozenset({"<|placeholder|>"})
"""What Qwen's processors turn into vision tokens while they count them
(``processing_qwen2_5_vl.py`` of transformers 5.16)."""
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def special_tokens(folder: Path) -> frozenset[str]:
    """Return the special tokens that the tokenizer files of a checkpoint name, and Qwen's own.

    A file that is missing or no JSON names none; loading the tokenizer says what is wrong with it.
    """
    found = {token for name in _FILES for token in _read_tokens(folder / name)}
    return frozenset(token for token in found | _OF_PROCESSORS if token and token not in OWN_TAGS)


def find_special(text: str, tokens: frozenset[str]) -> str | None:
    """Return the first special token in a text, None where there is none."""
    if "<" not in text and all(token.startswith("<") for token in tokens):
        return None
    found = [(text.find(token), token) for token in tokens if token in text]
    return min(found)[1] if found else None


def _read_tokens(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if not isinstance(content, dict):
        return
    yield from _tokenizer_tokens(content.get("added_tokens"))
    decoder = content.get("added_tokens_decoder")
    yield from _tokenizer_tokens(list(decoder.values()) if isinstance(decoder, dict) else None)
    for name, value in content.items():
        if name.endswith("_token"):
            yield from _token_text(value)
        elif name in ("additional_special_tokens", "extra_special_tokens") and value:
            for one in value.values() if isinstance(value, dict) else value:
                yield from _token_text(one)
        elif path.name == "added_tokens.json" and name.startswith("<|"):
            yield name


def _tokenizer_tokens(entries: Any) -> Iterator[str]:
    """Yield the special ones of a tokenizer's added tokens."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("special") is True:
            yield from _token_text(entry)


def _token_text(token: Any) -> Iterator[str]:
    """Yield the text of a token, which is stored alone or with its settings."""
    if isinstance(token, Mapping):
        token = token.get("content")
    if isinstance(token, str):
        yield token
