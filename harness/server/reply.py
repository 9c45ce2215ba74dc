"""Reads a chat completion: a text, its reasoning, why it ended, what it cost, or a named failure.

Whatever a server sends ends in a `Completion` or a `ServerError`; nothing is guessed. The shapes
are those of OpenAI's API and of what vLLM, SGLang, OpenRouter, Mistral and Azure make of it
(docs/sources.md, "Replies of servers").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.schema import Completion
from harness.server.content import (
    count_of,
    describe_body,
    parse_json,
    short_words,
    valid_text,
    words_of_body,
)
from harness.server.errors import (
    BadRequestError,
    EmptyReplyError,
    MalformedReplyError,
    RateLimitError,
    ServerError,
    error_of_status,
)
from harness.server.exchange import Reply
from harness.server.parts import Message, read_message

_STOP = frozenset({"stop", "eos", "eos_token", "stop_sequence", "end_turn"})
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_FILTERED = frozenset({
    "content_filter", "content_filtered", "safety", "recitation", "blocklist", "spii",
    "prohibited_content", "refusal", "sensitive",
})  # fmt: skip
_FILTER_CODES = frozenset({
    "content_filter", "content_policy_violation", "data_inspection_failed",
    "responsibleaipolicyviolation",
})  # fmt: skip
"""Codes of an error that says: a filter stopped the question or the answer."""
_MOST_DEPTH = 8
_RATE_LIMIT = re.compile(r"rate.?limit|too many requests|overloaded", re.IGNORECASE)


def read_completion(reply: Reply) -> Completion:
    """Return what a server answered; `generate_s` is left to the caller.

    Raises:
        ServerError: There is no answer; the class says what kind of failure it is.
    """
    content = _parse_content(reply)
    error = _find_error(content)
    if error is not None and _is_filtered(error):
        return Completion(text=_error_words(error), finish_reason="content_filter", refused=True)
    if not 200 <= reply.status < 300:
        words = _error_words(error if error is not None else content) or words_of_body(reply.body)
        raise error_of_status(reply.status, f"HTTP {reply.status}: {words}")
    if error is not None:
        raise _error_inside(error)
    if not isinstance(content, dict):
        raise MalformedReplyError(f"the reply is {_describe(content)}, expected an object")
    return _read_choice(_only_choice(content), content.get("usage"))


def read_failure(reply: Reply) -> ServerError | None:
    """Return the error of a reply that is none of 2xx, None for any other."""
    if 200 <= reply.status < 300:
        return None
    content = _parse_content(reply)
    words = _error_words(_find_error(content) or content) or words_of_body(reply.body)
    return error_of_status(reply.status, f"HTTP {reply.status}: {words}")


def _parse_content(reply: Reply) -> Any:
    """Parse the body; only a failed request may have one that is not JSON."""
    try:
        return parse_json(reply.body)
    except ValueError:
        if 200 <= reply.status < 300:
            raise MalformedReplyError(
                f"HTTP {reply.status} with {describe_body(reply.body)}; expected a chat completion"
            ) from None
        return None


def _find_error(content: Any) -> Any:
    """Return the error that a reply holds, None without one."""
    if not isinstance(content, dict):
        return None
    error = content.get("error")
    if isinstance(error, dict | str | list) and error:
        # Some gateways send an error with code 0 beside every answer.
        blank = isinstance(error, dict) and not any(error.values())
        return None if blank else error
    if content.get("object") == "error" or ("message" in content and "choices" not in content):
        return content
    return None


def _error_inside(error: Any) -> ServerError:
    """Return the failure for an error inside a reply of HTTP 200."""
    words = _error_words(error) or "an error without words"
    code = _code_of(error)
    message = f"HTTP 200 with an error: {words}"
    if 400 <= code < 600:
        return error_of_status(code, f"{message} (code {code})")
    if _RATE_LIMIT.search(f"{words} {_names_of(error)}"):
        return RateLimitError(message)
    return BadRequestError(message)


def _code_of(error: Any) -> int:
    if not isinstance(error, dict):
        return 0
    for name in ("code", "status", "status_code", "http_status"):
        value = error.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:4])
        if count_of(value):
            return count_of(value)
    return 0


def _names_of(error: Any) -> str:
    """Return the words by which an error is classified (``code``, ``type``), in small letters."""
    if not isinstance(error, dict):
        return ""
    names = [error.get(name) for name in ("code", "type", "status")]
    inner = error.get("innererror")
    names.append(inner.get("code") if isinstance(inner, dict) else None)
    return " ".join(name.lower() for name in names if isinstance(name, str))


def _is_filtered(error: Any) -> bool:
    metadata = error.get("metadata") if isinstance(error, dict) else None
    if isinstance(metadata, dict) and "flagged_input" in metadata:
        return True
    return bool(_FILTER_CODES & set(_names_of(error).split()))


def _error_words(error: Any, depth: int = 0) -> str:
    """Return the server's own words about an error."""
    if isinstance(error, str):
        return short_words(error)
    if isinstance(error, dict) and depth < _MOST_DEPTH:
        for name in ("message", "msg", "detail", "error", "reason", "title"):
            if error.get(name):
                return _error_words(error[name], depth + 1)
    try:
        return "" if error in (None, {}, []) else short_words(repr(error)[:2000])
    except RecursionError:
        return "an error nested too deeply to show"


def _only_choice(content: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = content.get("choices")
    if not isinstance(choices, list):
        raise MalformedReplyError(f"'choices' is {_describe(choices)}, expected a list")
    if len(choices) != 1 or not isinstance(choices[0], dict):
        first = f", the first {_describe(choices[0])}" if choices else ""
        raise MalformedReplyError(f"the reply has {len(choices)} choices{first}; expected one")
    return choices[0]


def _read_choice(choice: Mapping[str, Any], usage: Any) -> Completion:
    error = _find_error({"choices": (), "error": choice.get("error")})
    if error is not None:
        raise _error_inside(error)
    message = read_message(choice.get("message"))
    refused, finish = _read_end(choice.get("finish_reason"), message)
    text = message.text if message.text or not refused else message.refusal
    if text is None and not refused and not message.reasoning and finish == "stop":
        raise EmptyReplyError(
            "the server sent neither text nor reasoning; if it splits off the reasoning,"
            " let it send that, too"
        )
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text=valid_text(text or ""),
        reasoning=valid_text(message.reasoning) if message.reasoning else None,
        finish_reason=finish,
        refused=refused,
        prompt_tokens=count_of(usage.get("prompt_tokens")),
        output_tokens=count_of(usage.get("completion_tokens")),
        token_ids=_read_token_ids(choice.get("token_ids")),
        reasoning_tokens=_read_reasoning_tokens(usage),
    )


def _read_end(reason: Any, message: Message) -> tuple[bool, str]:
    """Return whether the model declined, and why the text ended."""
    name = reason.lower() if isinstance(reason, str) else ""
    if name in _FILTERED:
        return True, "content_filter"
    if message.refusal:
        return True, "refusal"
    if message.calls_tools:
        raise MalformedReplyError("the model called a tool instead of answering")
    if name in _STOP:
        return False, "stop"
    if name in _LENGTH:
        return False, "length"
    shown = short_words(reason) if isinstance(reason, str) else _describe(reason)
    raise MalformedReplyError(f"the server ended with finish_reason {shown!r:.80}")


def _read_reasoning_tokens(usage: Mapping[str, Any]) -> int | None:
    details = usage.get("completion_tokens_details")
    counted = details.get("reasoning_tokens") if isinstance(details, dict) else None
    return count_of(counted) or None


def _read_token_ids(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        return ()
    return tuple(value)


def _describe(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
