"""The fast engine: vLLM, fed continuously with native video.

Requests enter while others generate and leave the moment they finish; there is no batch to wait
for. A clip is handed over as frames with their time base and a stable id, so vLLM processes and
encodes it once, and its questions share the prefix.

The engine is driven step by step from the consuming thread (vLLM's own offline route). On a GPU its
core runs in a process of its own, so that preparing a request does not hold up the others; on a CPU
it runs in this process, which starts in a third of the time.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.backends import chat, lora
from harness.backends.base import Answer
from harness.backends.feed import Feed, failure
from harness.checkpoint import Checkpoint
from harness.errors import BackendError, missing_extra
from harness.schema import Clip, Completion, Failure, Request, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What can be chosen about this engine; none of it belongs to the protocol."""

    max_model_len: int = 16384
    """Most tokens of prompt and answer together; the model's own limit where that is lower."""
    max_num_seqs: int = 64
    """Requests that generate at the same time."""
    waiting: int = 8
    """Requests prepared ahead, so that a free place is filled at once."""
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = 1
    dtype: str | None = None
    """None: the checkpoint's own on a GPU, float32 on a CPU."""
    media_per_prompt: int = 8
    """Most videos, and most images, in one request."""
    cpu_kv_cache_gib: int = 2
    """Memory for keys and values on a CPU, unless ``VLLM_CPU_KVCACHE_SPACE`` says otherwise."""


class VLLMBackend:
    """Answers requests with an in-process vLLM engine.

    Building it starts the engine and sets, where unset, the environment variables that vLLM is
    quieted and kept local with: see `_prepare_environment`.
    """

    name = "vllm"

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self._processor = chat.load_processor(checkpoint)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vLLM's imports use deprecated parts of torch
            _prepare_environment(options)
            lora.refuse_partial(checkpoint)
            self._engine = _start(checkpoint, options, self._processor)
        self._max_tokens: int = self._engine.model_config.max_model_len
        self._lora = lora.request(checkpoint)
        self._limit = options.max_num_seqs + options.waiting
        self._ids = itertools.count()

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests as they finish; at most `max_num_seqs + waiting` are held at a time."""
        feed = Feed(requests)
        running: dict[str, tuple[Request, float]] = {}
        try:
            while running or not feed.exhausted:
                yield from self._admit(feed, running)
                if running:
                    yield from self._step(running)
        finally:
            feed.close()
            self._engine.abort_request(list(running))

    def close(self) -> None:
        """Stop the engine and free its memory; vLLM allows one engine per process at a time."""
        from vllm.distributed import cleanup_dist_env_and_memory

        self._engine.renderer.shutdown()
        self._engine.engine_core.shutdown()
        del self._engine
        cleanup_dist_env_and_memory()

    def _admit(self, feed: Feed, running: dict[str, tuple[Request, float]]) -> Iterator[Answer]:
        """Let in what is ready; wait for it only when there is nothing else to do."""
        while len(running) < self._limit:
            request = feed.take(wait=not running)
            if request is None:
                return
            entered = time.perf_counter()
            try:
                running[self._enter(request)] = request, entered
            except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
                yield request, failure(error)

    def _enter(self, request: Request) -> str:
        """Prepare one request and hand it to the engine; return its id there."""
        name = str(next(self._ids))
        (prepared,) = self._engine.renderer.render_cmpl([self._prompt(request)])
        try:
            self._check_length(len(prepared["prompt_token_ids"]), request.sampling)
            params = _sampling_params(request.sampling)
            self._engine.add_request(name, prepared, params, lora_request=self._lora)
        except Exception:
            self._forget(prepared)
            raise
        return name

    def _prompt(self, request: Request) -> dict[str, Any]:
        text = chat.render(self._processor, request.prompt, request.clips)
        # The template has written every special token that the model expects.
        token_ids = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        prompt: dict[str, Any] = {"prompt_token_ids": token_ids}
        if request.clips:
            prompt["multi_modal_data"], prompt["multi_modal_uuids"] = _media(request.clips)
        return prompt

    def _check_length(self, prompt_tokens: int, sampling: Sampling) -> None:
        """Refuse what vLLM would cut short: the protocol grants every answer `max_tokens`."""
        if prompt_tokens + sampling.max_tokens > self._max_tokens:
            raise BackendError(
                f"{prompt_tokens} prompt tokens and {sampling.max_tokens} for the answer exceed"
                f" the engine's {self._max_tokens}; raise max_model_len or show fewer pixels"
            )

    def _forget(self, prepared: Any) -> None:
        """Drop a refused request's media from the sender's cache: the engine never saw them.

        vLLM sends media once and afterwards only their ids; the next request with this clip would
        name one that the engine does not know.
        """
        cache = self._engine.renderer.mm_processor_cache
        for hashes in prepared.get("mm_hashes", {}).values():
            for media_hash in hashes:
                cache.invalidate(media_hash)

    def _step(self, running: dict[str, tuple[Request, float]]) -> Iterator[Answer]:
        """Advance every running request by one step and yield those that are done."""
        try:
            outputs = self._engine.step()
        except Exception as error:
            raise BackendError(f"the vLLM engine died: {type(error).__name__}: {error}") from error
        for output in outputs:
            if output.finished:
                request, entered = running.pop(output.request_id)
                yield request, self._completion(output, time.perf_counter() - entered)

    def _completion(self, output: Any, seconds: float) -> Completion | Failure:
        (answer,) = output.outputs
        if answer.finish_reason not in ("stop", "length"):
            return failure(BackendError(f"vLLM ended the request with {answer.finish_reason!r}"))
        token_ids = tuple(answer.token_ids)
        return Completion(
            text=chat.decode(self._processor, token_ids),
            finish_reason=answer.finish_reason,
            prompt_tokens=len(output.prompt_token_ids),
            output_tokens=len(token_ids),
            generate_s=seconds,
            token_ids=token_ids,
        )


def _start(checkpoint: Checkpoint, options: EngineOptions, processor: Any) -> Any:
    from vllm import EngineArgs, LLMEngine

    on_cpu = _on_cpu()
    max_tokens = _context_length(checkpoint, options)
    arguments = EngineArgs(
        model=str(checkpoint.path),
        dtype=options.dtype or ("float32" if on_cpu else "auto"),
        max_model_len=max_tokens,
        max_num_seqs=options.max_num_seqs,
        # A prompt that fits the context also fits one step and the encoder's cache.
        max_num_batched_tokens=max(max_tokens, options.max_num_seqs),
        gpu_memory_utilization=options.gpu_memory_utilization,
        tensor_parallel_size=options.tensor_parallel_size,
        enable_prefix_caching=True,
        limit_mm_per_prompt=dict.fromkeys(("image", "video"), options.media_per_prompt),
        mm_processor_kwargs=chat.media_options(processor),
        mm_device_do_normalize=_normalizes_alike(processor),
        enable_lora=checkpoint.adapter is not None,
        max_lora_rank=lora.reserved_rank(checkpoint),
        enforce_eager=on_cpu,
        skip_mm_profiling=on_cpu,
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
    try:
        return LLMEngine.from_engine_args(arguments)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise BackendError(f"vLLM cannot start {checkpoint.path}: {error}") from error


def _normalizes_alike(processor: Any) -> bool:
    """Tell whether vLLM may normalise pixels on the device.

    It then uses the image processor's mean and deviation for videos too (seen in 0.32).
    """
    image = getattr(processor, "image_processor", None)
    video = getattr(processor, "video_processor", None)
    statistics = ("image_mean", "image_std")
    return all(getattr(image, name, None) == getattr(video, name, None) for name in statistics)


def _prepare_environment(options: EngineOptions) -> None:
    """Quiet vLLM, keep it from reporting usage, and bound what it takes of a CPU machine."""
    level = os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    logging.getLogger("vllm").setLevel(level)  # holds before vLLM configures itself, on import
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if _on_cpu():
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(options.cpu_kv_cache_gib))
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")


def _on_cpu() -> bool:
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise missing_extra("vllm", "vllm") from error
    on_cpu: bool = current_platform.is_cpu()
    return on_cpu


def _context_length(checkpoint: Checkpoint, options: EngineOptions) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(checkpoint.path).get_text_config()
    return int(min(options.max_model_len, config.max_position_embeddings))


def _sampling_params(sampling: Sampling) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        seed=sampling.seed,
        detokenize=False,  # texts are decoded once, the same way for every local engine
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _media(clips: tuple[Clip, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split clips into vLLM's data and ids, by modality."""
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
    return _filled(data), _filled(keys)


def _filled(by_modality: dict[str, Any]) -> dict[str, Any]:
    return {modality: items for modality, items in by_modality.items() if items}
