"""Answers requests with vLLM in this process, with continuous batching and native video.

Requests enter while others generate, and leave as soon as they finish. A clip is passed as frames
with their times and a stable id, so vLLM processes and encodes it once and its questions share the
prefix.

The consuming thread drives the engine step by step (as vLLM's `LLM` does); another thread reads
the requests and processes prompts and frames. On a GPU the engine core runs in its own process; on
a CPU it runs in this one, which starts three times as fast.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from harness.backends import chat, lora
from harness.backends.base import Answer, EngineStats
from harness.backends.feed import Feed, failure
from harness.backends.logits import NOT_FINITE
from harness.backends.stops import cut_at_stop
from harness.backends.thoughts import ThoughtReader
from harness.backends.vllm_engine import VLLMConfig, prepare_environment, start
from harness.backends.vllm_stats import StepCounter, vision_seconds
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.schema import Clip, Completion, Failure, Request, Sampling


class VLLMBackend:
    """Answers requests with an in-process vLLM engine.

    The constructor starts the engine and sets vLLM's environment variables where they are unset:
    see `prepare_environment`.
    """

    name = "vllm"

    def __init__(self, checkpoint: Checkpoint, options: VLLMConfig | None = None) -> None:
        options = options or VLLMConfig()
        self._prepared = options.prepared
        self._steps = StepCounter()
        self._vision_s = self._prepare_s = self._idle_s = 0.0
        self._processor = chat.load_processor(checkpoint)
        self._thoughts = ThoughtReader(self._processor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vLLM's imports use deprecated parts of torch
            prepare_environment(options)
            lora.refuse_partial(checkpoint)
            self._engine = start(checkpoint, options, self._processor)
        self._steps.install(self._engine)
        self._max_tokens: int = self._engine.model_config.max_model_len
        self._lora = lora.request(checkpoint)
        self._limit = options.max_num_seqs + options.waiting
        self._ids = itertools.count()
        self._taken = self._read = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield answers as they finish; at most `max_num_seqs + waiting` requests are admitted."""
        feed = Feed(requests, self._prepare, ahead=self._prepared)
        running: dict[str, tuple[Request, float]] = {}
        try:
            while running or not feed.exhausted:
                yield from self._admit(feed, running)
                if running:
                    yield from self._run_step(running)
        finally:
            feed.close()
            self._prepare_s += feed.prepare_s
            self._idle_s += feed.idle_s
            self._engine.abort_request(list(running))

    def stats(self) -> EngineStats:
        """Return times and counts from the engine's own reports of its steps."""
        self._vision_s += vision_seconds(self._engine)
        return self._steps.stats(
            vision_s=self._vision_s, preprocess_s=self._prepare_s, idle_s=self._idle_s
        )

    def requests_read(self) -> int:
        """Return how many requests the scheduler has begun, those that failed before included."""
        return self._read

    def close(self) -> None:
        """Stop the engine and free its memory; vLLM allows one engine per process at a time."""
        self._engine.renderer.shutdown()
        self._engine.engine_core.shutdown()
        del self._engine

    def _admit(
        self, feed: Feed[Any], running: dict[str, tuple[Request, float]]
    ) -> Iterator[Answer]:
        """Add prepared requests to the engine; wait for one only if nothing is running."""
        while len(running) < self._limit:
            taken = feed.take(wait_s=0 if running else None)
            if taken is None:
                return
            self._taken += 1
            request, prepared = taken
            if isinstance(prepared, Failure):
                yield request, prepared
                continue
            try:
                running[self._add_request(prepared, request)] = (
                    request,
                    time.perf_counter(),
                )
            except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
                yield request, failure(error)

    def _prepare(self, request: Request) -> Any:
        """Process prompt and frames of a request; runs on the feed's thread."""
        (prepared,) = self._engine.renderer.render_cmpl([self._make_prompt(request)])
        try:
            self._check_length(len(prepared["prompt_token_ids"]), request.sampling)
        except BackendError:
            self._forget_media(prepared)
            raise
        return prepared

    def _add_request(self, prepared: Any, request: Request) -> str:
        """Add a request to the engine and return its id there."""
        name = str(next(self._ids))
        params = _sampling_params(request.sampling, request.thinking_budget)
        try:
            self._engine.add_request(name, prepared, params, lora_request=self._lora)
        except Exception:
            self._forget_media(prepared)
            raise
        return name

    def _make_prompt(self, request: Request) -> dict[str, Any]:
        text = chat.render(self._processor, request.prompt, request.clips)
        # The template has written every special token that the model expects.
        token_ids = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        prompt: dict[str, Any] = {"prompt_token_ids": token_ids}
        if request.clips:
            prompt["multi_modal_data"], prompt["multi_modal_uuids"] = _split_media(request.clips)
        return prompt

    def _check_length(self, prompt_tokens: int, sampling: Sampling) -> None:
        """Raise `BackendError` if `max_tokens`, which the protocol grants, would not fit."""
        if prompt_tokens + sampling.max_tokens > self._max_tokens:
            raise BackendError(
                f"{prompt_tokens} prompt tokens and {sampling.max_tokens} for the answer exceed"
                f" the engine's {self._max_tokens}; raise max_model_len or lower max_pixels"
            )

    def _forget_media(self, prepared: Any) -> None:
        """Remove the media of a refused request from the sender's cache.

        vLLM sends media to the engine once and later only their ids. The engine never got these, so
        the next request with this clip would name an unknown id.
        """
        cache = self._engine.renderer.mm_processor_cache
        if cache is None:  # --engine-arg mm_processor_cache_gb=0
            return
        for hashes in prepared.get("mm_hashes", {}).values():
            for media_hash in hashes:
                cache.invalidate(media_hash)

    def _run_step(self, running: dict[str, tuple[Request, float]]) -> Iterator[Answer]:
        """Run one engine step and yield the requests that finished in it."""
        began = time.perf_counter()
        try:
            outputs = self._engine.step()
        except Exception as error:
            raise BackendError(f"the vLLM engine died: {type(error).__name__}: {error}") from error
        self._steps.spent(time.perf_counter() - began)
        self._read = max(self._read, self._taken - self._steps.waiting)
        for output in outputs:
            if output.finished:
                request, entered = running.pop(output.request_id)
                seconds = time.perf_counter() - entered
                yield request, self._make_completion(output, request, seconds)

    def _make_completion(
        self, output: Any, request: Request, seconds: float
    ) -> Completion | Failure:
        (answer,) = output.outputs
        if getattr(output.metrics, "is_corrupted", False):
            return failure(NOT_FINITE)
        if answer.finish_reason not in ("stop", "length"):
            return failure(BackendError(f"vLLM ended the request with {answer.finish_reason!r}"))
        token_ids = tuple(answer.token_ids)
        completion = self._thoughts.complete(
            request,
            token_ids,
            answer.finish_reason,
            prompt_tokens=len(output.prompt_token_ids),
            output_tokens=len(token_ids),
            generate_s=seconds,
        )
        return replace(completion, text=cut_at_stop(completion.text, request.sampling.stop))


def _sampling_params(sampling: Sampling, thinking_budget: int | None) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty,
        max_tokens=sampling.max_tokens,
        seed=sampling.seed,
        thinking_token_budget=thinking_budget,
        stop=list(sampling.stop),
        # Texts are decoded once, the same way for every local engine; vLLM finds stops in its own.
        detokenize=bool(sampling.stop),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _split_media(clips: tuple[Clip, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return vLLM's multi-modal data and ids of clips, by modality."""
    videos = [clip for clip in clips if not chat.is_image(clip)]
    data: dict[str, Any] = {
        "image": chat.images(clips),
        "video": [
            (clip.frames, {**chat.video_metadata(clip), "do_sample_frames": False})
            for clip in videos
        ],
    }
    keys = {
        "image": [clip.key for clip in clips if chat.is_image(clip)],
        "video": [clip.key for clip in videos],
    }
    return _drop_empty(data), _drop_empty(keys)


def _drop_empty(by_modality: dict[str, Any]) -> dict[str, Any]:
    return {modality: items for modality, items in by_modality.items() if items}
