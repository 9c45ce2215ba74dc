"""Asks a server, again where that may help, within one time limit for all attempts."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from harness.schema import Completion
from harness.server.content import parse_json, short_words, valid_text
from harness.server.endpoint import KEY_VARIABLE, Endpoint
from harness.server.errors import KeyRefusedError, MalformedReplyError, ServerError
from harness.server.exchange import Reply, exchange
from harness.server.reply import read_completion, read_failure

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_LONGEST_ASKED_WAIT_S = 60.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one question may cost."""

    timeout_s: float = 600.0
    """Seconds for all attempts together."""
    max_retries: int = 5
    """Further attempts after a lost connection, a rate limit or a fault of the server."""
    max_bytes: int = 8 << 20
    """Most bytes of a reply; a text of 100,000 tokens has about 1 MiB with its token ids."""


class ServerClient:
    """Sends requests to one server; safe for use by several threads."""

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None) -> None:
        from anyio.from_thread import BlockingPortalProvider

        self.endpoint = endpoint
        self._limits = limits or Limits()
        # One thread with an event loop while a request is under way, whoever asks.
        self._portal = BlockingPortalProvider()
        self._closed = threading.Event()
        self._reading = threading.Lock()

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """Return the answer to a chat completion request.

        Raises:
            ServerError: There is none; the message holds the server's words and no secret.
        """
        content = json.dumps(body).encode("ascii")
        return self._ask("/chat/completions", content, read_completion)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object that an address answers with, {} for a reply without content.

        Args:
            path: What follows the address of the API, ``/chat/completions``; ``/../NAME`` is
                beside it.
            body: The request.

        Raises:
            ServerError: The server does not answer, refuses, or answers with something else.
        """
        return self._ask(path, json.dumps(body).encode("ascii"), _read_object_or_nothing)

    def tokenize_chat(
        self, model: str, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> tuple[int, ...]:
        """Return the token ids of a rendered chat; vLLM's servers have this beside the API.

        Args:
            model: The model's name.
            messages: The chat.
            options: ``add_generation_prompt`` and ``chat_template_kwargs``.

        Raises:
            ServerError: The server cannot render the chat, or has no such address.
        """
        body = {"model": model, "messages": list(messages), **options}
        return self._ask_beside("/tokenize", body, _read_tokens)

    def detokenize(self, model: str, token_ids: Sequence[int]) -> str:
        """Return the text of tokens, special ones included; vLLM's servers have this.

        Raises:
            ServerError: The server refuses, or has no such address.
        """
        body = {"model": model, "tokens": list(token_ids)}
        return self._ask_beside("/detokenize", body, _read_prompt)

    def _ask_beside(
        self, path: str, body: Mapping[str, Any], read: Callable[[Reply], Result]
    ) -> Result:
        """Ask an address beside ``/v1``, under the same key."""
        content = json.dumps(body).encode("ascii")
        return self._ask(f"/..{path}", content, read)

    def list_models(self) -> dict[str, Mapping[str, Any]]:
        """Map the ids of the server's models to what it says about them.

        Raises:
            ServerError: The server does not answer, or not with a list of models.
        """
        return self._ask("/models", None, _read_models)

    def close(self) -> None:
        """End the waits between attempts; a request that was sent goes on to its time limit."""
        self._closed.set()

    def _ask(self, path: str, body: bytes | None, read: Callable[[Reply], Result]) -> Result:
        deadline = time.monotonic() + self._limits.timeout_s
        attempt = 0
        while True:
            try:
                return self._hide(read, self._exchange(path, body, deadline))
            except ServerError as error:
                wait = _wait_before(attempt, error)
                late = time.monotonic() + wait >= deadline
                last = not error.retry or attempt >= self._limits.max_retries or late
                if last or self._closed.wait(wait):
                    raise self._explain(error, attempt + 1) from None
            attempt += 1

    def _exchange(self, path: str, body: bytes | None, deadline: float) -> Reply:
        with self._portal as portal:
            asked = portal.start_task_soon(
                exchange, self.endpoint, path, body, deadline, self._limits.max_bytes
            )
            try:
                return asked.result()
            finally:
                asked.cancel()  # after an interrupt; a request that is done stays done

    def _hide(self, read: Callable[[Reply], Result], reply: Reply) -> Result:
        """Read a reply; a server that repeats the key does not get it into a record."""
        try:
            with self._reading:  # a hostile reply takes a hundred times its size while it is read
                found = read(reply)
        except ServerError as error:
            error.retry_after_s = _read_retry_after(reply.headers.get("retry-after", ""))
            raise
        if isinstance(found, Completion) and self.endpoint.secrets:
            hidden = self.endpoint.hide_secrets
            thought = found.reasoning and hidden(found.reasoning)
            return replace(found, text=hidden(found.text), reasoning=thought)
        return found

    def _explain(self, error: ServerError, attempts: int) -> ServerError:
        """Return the error with its attempts, a hint about the key, and no secret."""
        message = short_words(self.endpoint.hide_secrets(str(error)))
        if attempts > 1:
            message += f" ({attempts} attempts)"
        if isinstance(error, KeyRefusedError):
            state = "is not the right one" if self.endpoint.has_key else "is not set"
            message = f"the key is refused: {KEY_VARIABLE} {state} for this server; {message}"
        return type(error)(message)


def _wait_before(attempt: int, error: ServerError) -> float:
    """Return the seconds before the next attempt: what the server asked for, or twice the last."""
    if error.retry_after_s:
        return min(error.retry_after_s, _LONGEST_ASKED_WAIT_S)
    return min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S)


def _read_retry_after(value: str) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, None where it cannot be read."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _read_object(reply: Reply) -> dict[str, Any]:
    error = read_failure(reply)
    if error is not None:
        raise error
    try:
        content = parse_json(reply.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise MalformedReplyError("the reply is no object")
    return content


def _read_object_or_nothing(reply: Reply) -> dict[str, Any]:
    return {} if 200 <= reply.status < 300 and not reply.body else _read_object(reply)


def _read_tokens(reply: Reply) -> tuple[int, ...]:
    tokens = _read_object(reply).get("tokens")
    if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
        raise MalformedReplyError("the reply has no tokens")
    return tuple(tokens)


def _read_prompt(reply: Reply) -> str:
    text = _read_object(reply).get("prompt")
    if not isinstance(text, str):
        raise MalformedReplyError("the reply has no text")
    return valid_text(text)


def _read_models(reply: Reply) -> dict[str, Mapping[str, Any]]:
    error = read_failure(reply)
    if error is not None:
        raise error
    try:
        content = parse_json(reply.body)
    except ValueError:
        content = None
    entries = content.get("data") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise MalformedReplyError("the reply is no list of models")
    named = (entry for entry in entries if isinstance(entry, dict))
    return {
        entry["id"]: entry
        for entry in named
        if isinstance(entry.get("id"), str) and entry["id"] == valid_text(entry["id"])
    }
