"""Reads the message of a chat completion: texts, lists of parts, and fields of reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.server.content import short_words
from harness.server.errors import MalformedReplyError

_REASONING_FIELDS = ("reasoning_details", "reasoning_content", "reasoning")
"""Fields of a thought, the one that says most first: OpenRouter's, SGLang's, vLLM's."""
_TEXT_PARTS = ("text", "output_text", "input_text")
_REASONING_PARTS = ("thinking", "reasoning", "summary_text", "reasoning_text", "reasoning.text",
                    "reasoning.summary")  # fmt: skip
_MOST_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Message:
    """What the assistant's message says."""

    text: str | None
    """None: the message has no text field."""
    reasoning: str
    refusal: str
    calls_tools: bool


def read_message(message: Any) -> Message:
    """Read a message; raise `MalformedReplyError` where its text cannot be told.

    Reasoning of an unknown form is left out: no score depends on it.
    """
    if not isinstance(message, dict):
        raise MalformedReplyError("the choice has no message")
    text, thought, refusal = _read_content(message.get("content"))
    stated = message.get("refusal")
    return Message(
        text=text,
        reasoning=thought or _read_reasoning(message),
        refusal=stated if isinstance(stated, str) and stated else refusal,
        calls_tools=not text and bool(message.get("tool_calls") or message.get("function_call")),
    )


def _read_content(content: Any) -> tuple[str | None, str, str]:
    """Return text, reasoning and refusal of the content."""
    if content is None or isinstance(content, str):
        return content, "", ""
    parts = content if isinstance(content, list) else [content]
    texts, thoughts, refusals = [], [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "refusal":
            refusals.append(_text_of(part.get("refusal")))
        elif kind in _REASONING_PARTS:
            thoughts.append(_text_of(part))
        elif isinstance(part, str):
            texts.append(part)
        else:
            texts.append(_read_text_part(part, kind))
    text = "".join(texts) if texts or not (thoughts or refusals) else None
    return text, "".join(thoughts), "".join(refusals)


def _read_text_part(part: Any, kind: Any) -> str:
    if isinstance(part, dict) and kind in (*_TEXT_PARTS, None):
        text = part.get("text")
        if isinstance(text, dict):
            text = text.get("value")
        if isinstance(text, str):
            return text
    what = f"a part of type {short_words(str(kind))[:40]!r}" if isinstance(part, dict) else "none"
    raise MalformedReplyError(f"the content is no text, but {what}")


def _read_reasoning(message: Mapping[str, Any]) -> str:
    for name in _REASONING_FIELDS:
        found = _text_of(message.get(name))
        if found:
            return found
    return ""


def _text_of(value: Any, depth: int = 0) -> str:
    """Return all text in a field of reasoning; encrypted and unknown parts give nothing."""
    if isinstance(value, str):
        return value
    if depth < _MOST_DEPTH and isinstance(value, list):
        return "".join(_text_of(one, depth + 1) for one in value)
    if depth < _MOST_DEPTH and isinstance(value, dict):
        fields = ("text", "thinking", "summary", "content", "reasoning")
        return next((t for t in (_text_of(value.get(f), depth + 1) for f in fields) if t), "")
    return ""
