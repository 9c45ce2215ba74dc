"""Checks ``--extra-body``: what a request to a server may have beside what it has anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UsageError

_REQUEST = "every request has its own"
_ONE_ANSWER = "one whole answer is read from a reply"
_ALWAYS: Mapping[str, str] = {
    **dict.fromkeys(("model", "messages"), _REQUEST),
    **dict.fromkeys(("stream", "stream_options"), _ONE_ANSWER),
    "n": "a question is asked again by --repeats",
    "temperature": "the protocol says it; change it by --temperature",
    "top_p": "the protocol says it; change it by --top-p",
    "max_tokens": "the protocol says it; change it by --max-tokens",
    "max_completion_tokens": "the protocol says it; change it by --max-tokens",
    "seed": "the protocol says it; change it by --seed",
    "stop": "the protocol says it; change it in a protocol file",
    "presence_penalty": "the protocol says it; change it by --presence-penalty",
    "frequency_penalty": "the protocol says it; change it by --frequency-penalty",
}
"""Fields that every request has, with the reason why they cannot be set."""
_OF_VLLM: Mapping[str, str] = {
    "top_k": "the protocol says it; change it by --top-k",
    "min_p": "the protocol says it; change it by --min-p",
    "repetition_penalty": "the protocol says it; change it by --repetition-penalty",
    "thinking_token_budget": "the protocol says it; change it by --thinking-budget",
    "chat_template_kwargs": "the protocol says it; change it by --template-arg",
    "return_token_ids": _REQUEST,
    "media_io_kwargs": "it holds the times of the frames",
    "add_generation_prompt": "it follows from the prompt",
    "continue_final_message": "it follows from the prompt",
}
"""Fields of requests to a vLLM server; a server that gets images gets none of them."""


def check_extra_body(extra: Mapping[str, Any], *, video_as_images: bool) -> None:
    """Raise `UsageError` for a field that the requests have already."""
    own = _ALWAYS if video_as_images else {**_ALWAYS, **_OF_VLLM}
    for name in extra:
        if name in own:
            raise UsageError(f"--extra-body: {name} cannot be set here: {own[name]}")
