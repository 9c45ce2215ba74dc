"""Answers requests through any OpenAI-compatible server, several at a time.

A vLLM server gets the frames as native video: one ``video_url`` part of comma-separated base64
frames (vLLM's ``video/jpeg`` transport, which also takes PNG bytes, so nothing is lost), with their
times in ``media_io_kwargs`` and the clip's id for the server's caches. vLLM accepts times from
clients only if it was started with ``--trust-request-mm-kwargs``; without it, it would show the
first 32 frames as if they were a second apart, so that is an error here. Servers without video
support get the frames as images and nothing beyond the OpenAI API.

Sampling fields that the protocol leaves out are sent as neutral values; otherwise a vLLM server
would fill them from the checkpoint's generation config.
"""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import zip_longest
from queue import SimpleQueue
from typing import Any

from harness.backends.base import Answer, EngineStats
from harness.backends.chat import is_image, video_metadata
from harness.backends.feed import failure
from harness.backends.served_thoughts import ServedThoughts
from harness.backends.shared import SharedRequests
from harness.errors import BackendError, CheckpointError
from harness.models.server import ServedModel
from harness.schema import Clip, Completion, Failure, Prompt, Request, Sampling
from harness.scoring.reasoning.marks import IN_TEXT
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import read_endpoint
from harness.server.errors import (
    CertificateError,
    KeyRefusedError,
    NotFoundError,
    RedirectError,
    UnreachableServerError,
)

TRUST_FLAG = "--trust-request-mm-kwargs"
ENCODED_CLIPS = 8
"""Number of clips kept in encoded form; questions about one clip follow each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings of the server engine; none of them belongs to the protocol."""

    concurrency: int = 16
    """Number of requests at the same time."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every request."""
    timeout_s: float = 600.0
    """Seconds to wait for one answer, all attempts together."""
    max_retries: int = 5
    """Further attempts after a lost connection, a rate limit or a server error, with back-off."""
    video_as_images: bool = False
    """Send frames as images and use no vLLM extension."""


_Answers = SimpleQueue[tuple[Request, Completion | Failure | Exception] | Exception | None]


class OpenAIBackend:
    """Answers requests through chat completions; the key comes from ``OPENAI_API_KEY``."""

    name = "openai"

    def __init__(self, model: ServedModel, options: ServerConfig | None = None) -> None:
        self._options = options or ServerConfig()
        self._model = model
        limits = Limits(timeout_s=self._options.timeout_s, max_retries=self._options.max_retries)
        self._client = ServerClient(read_endpoint(model.base_url), limits)
        self._thoughts = ServedThoughts(self._client, model.model)
        self._answered = False
        self._frames = lru_cache(maxsize=ENCODED_CLIPS)(_encode_frames)

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield answers as the server finishes them.

        Raises:
            BackendError: The server is gone or refuses every request; finished answers are yielded
                before.
            CheckpointError: It refuses the key.
        """
        source = SharedRequests(requests)
        answers: _Answers = SimpleQueue()
        for number in range(self._options.concurrency):
            threading.Thread(
                target=self._answer_requests,
                args=(source, answers),
                name=f"openai-{number}",
                daemon=True,
            ).start()
        working = self._options.concurrency
        error: Exception | None = None
        try:
            # After an error, a thread may still be waiting for a request that never comes.
            while working and not (error is not None and source.pending == 0):
                item = answers.get()
                if isinstance(item, tuple):
                    source.give_back()
                    request, answer = item
                    if not isinstance(answer, Exception):
                        yield request, answer
                        continue
                    item = answer
                working -= 1
                if item is not None:
                    error = error or item
                    source.close()
        finally:
            source.close()
        if error is not None:
            raise error

    def stats(self) -> EngineStats:
        """Return empty statistics: the server does not report its times."""
        return EngineStats()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer_requests(self, source: SharedRequests, answers: _Answers) -> None:
        """Answer requests until there are none or one ends the work; put None at the end."""
        try:
            while (request := source.take()) is not None:
                answer = self._try_answer(request)
                answers.put((request, answer))
                if isinstance(answer, Exception):
                    return
        except Exception as error:  # noqa: BLE001 - raised in the consuming thread
            answers.put(error)
        else:
            answers.put(None)

    def _try_answer(self, request: Request) -> Completion | Failure | Exception:
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - raised in the consuming thread
            return error

    def _answer(self, request: Request) -> Completion | Failure:
        started = time.perf_counter()
        try:
            completion = self._client.complete(self._request_body(request))
        except (UnreachableServerError, CertificateError) as error:
            raise self._stop_error(error) from error
        except KeyRefusedError as error:
            raise CheckpointError(f"{self._client.endpoint.url}: {error}") from error
        except (NotFoundError, RedirectError) as error:
            if not self._answered:
                raise self._stop_error(error) from error
            return failure(error)
        except Exception as error:
            if TRUST_FLAG in str(error):
                raise self._stop_error(
                    f"it does not accept frame times; start it with {TRUST_FLAG}"
                ) from error
            return failure(error)  # the boundary: a request costs itself only
        self._answered = True
        if not self._options.video_as_images:
            completion = self._thoughts.complete(request, completion)
        return replace(completion, generate_s=time.perf_counter() - started)

    def _stop_error(self, reason: object) -> BackendError:
        """Return the error for a fault that every request would meet; the run can be resumed."""
        return BackendError(f"the server at {self._client.endpoint.url} cannot go on: {reason}")

    def _request_body(self, request: Request) -> dict[str, Any]:
        prompt = request.prompt
        content: list[dict[str, Any]] = []
        for text, clip in zip_longest(prompt.before, request.clips):
            content += [{"type": "text", "text": text}] if text else []
            content += self._media_parts(clip) if clip else []
        content.append({"type": "text", "text": prompt.text})
        body: dict[str, Any] = {
            "model": self._model.model,
            "messages": _chat_messages(prompt, content),
            **_sampling_fields(request.sampling),
            **self._options.extra_body,
        }
        if not self._options.video_as_images:
            body |= _vllm_extensions(request)
        else:
            _refuse_extensions(request)
        return body

    def _media_parts(self, clip: Clip) -> list[dict[str, Any]]:
        frames = self._frames(clip)
        if is_image(clip) or self._options.video_as_images:
            urls = [f"data:image/png;base64,{frame}" for frame in frames]
            return [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        url = f"data:video/jpeg;base64,{','.join(frames)}"
        return [{"type": "video_url", "video_url": {"url": url}, "uuid": clip.key}]


def _encode_frames(clip: Clip) -> tuple[str, ...]:
    from PIL import Image

    encoded = []
    for frame in clip.frames:
        buffer = io.BytesIO()
        # Level 1 is several times faster than the default and hardly larger for photographs.
        Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
        encoded.append(base64.b64encode(buffer.getvalue()).decode("ascii"))
    return tuple(encoded)


def _chat_messages(prompt: Prompt, content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": prompt.system}] if prompt.system is not None else []
    prefill = [{"role": "assistant", "content": prompt.prefill}] if prompt.prefill else []
    return [*system, {"role": "user", "content": content}, *prefill]


def _sampling_fields(sampling: Sampling) -> dict[str, Any]:
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
    }


def _vllm_extensions(request: Request) -> dict[str, Any]:
    sampling, template_args = request.sampling, request.prompt.template_args
    extensions: dict[str, Any] = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "return_token_ids": True,
        **_thought_fields(request),
        **({"chat_template_kwargs": dict(template_args)} if template_args else {}),
    }
    videos = [clip for clip in request.clips if not is_image(clip)]
    if videos:
        extensions["media_io_kwargs"] = {"video": _time_base(videos)}
    if request.prompt.prefill:
        extensions |= {"add_generation_prompt": False, "continue_final_message": True}
    return extensions


def _thought_fields(request: Request) -> dict[str, Any]:
    """Return the fields that keep thoughts and their marks in the reply, and bound them."""
    fields: dict[str, Any] = {}
    if request.reasoning != IN_TEXT:
        fields = {"skip_special_tokens": False, "include_reasoning": True}
    if request.thinking_budget is not None:
        fields["thinking_token_budget"] = request.thinking_budget
    return fields


def _refuse_extensions(request: Request) -> None:
    """Raise `BackendError` where a request needs more than the OpenAI API has.

    It would be answered without what the protocol says, and nobody would notice.
    """
    sampling = request.sampling
    needed = {
        "a prefilled answer": request.prompt.prefill,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty != 1,
        "template_args": request.prompt.template_args,
        "thinking_budget": request.thinking_budget is not None,
    }
    for name, wanted in needed.items():
        if wanted:
            raise BackendError(f"{name} needs a vLLM server, not plain OpenAI requests")


def _time_base(videos: list[Clip]) -> dict[str, Any]:
    """Return the frame times of the videos of a request; the server's API takes one for all."""
    bases = [video_metadata(clip) for clip in videos]
    if any(base != bases[0] for base in bases):
        raise BackendError(
            "videos of one request differ in length or frame times; use --backend vllm"
        )
    # -1 keeps every frame; the server would keep the first 32.
    return {**bases[0], "num_frames": -1, "do_sample_frames": False}
