"""Starts vLLM: settings, environment variables, and what of both depends on the machine."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.backends import chat, lora
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing
from harness.thoughts import Marks

_CPU_BLOCK = 32
"""Tokens per KV-cache block: the smallest size at which vLLM's CPU attention is fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VLLMConfig:
    """Settings of the vLLM engine; none of them belongs to the protocol."""

    max_model_len: int = 16384
    """Maximum tokens of prompt and answer together; the model's limit if that is lower."""
    max_num_seqs: int = 256
    """Maximum number of requests that generate at the same time."""
    waiting: int = 8
    """Further requests inside the engine, so that a finished one is replaced at once."""
    prepared: int = 32
    """Requests prepared ahead of the engine; questions about one clip share its frames."""
    media_cache_gib: float = 1.0
    """Cache for processed frames in GiB; later questions about a video reuse them."""
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = 1
    executor: str | None = None
    """vLLM's executor; ``external_launcher`` if each of several processes has an engine."""
    dtype: str | None = None
    """Torch dtype; None: the checkpoint's on a GPU, float32 on a CPU."""
    quantization: str | None = None
    """vLLM's name of a quantization; None: the checkpoint's own."""
    further: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `EngineArgs`, which replace those that are set here."""
    bounded_thoughts: Marks | None = None
    """Marks of thoughts that requests may bound by `Request.thinking_budget`; None: none may."""
    videos_per_prompt: int = 8
    images_per_prompt: int = 8
    cpu_kv_cache_gib: int = 2
    """KV cache on a CPU in GiB; the variable ``VLLM_CPU_KVCACHE_SPACE`` overrides it."""


def start(checkpoint: Checkpoint, options: VLLMConfig, processor: Any) -> Any:
    """Start an engine in this process.

    Raises:
        BackendError: vLLM does not accept the checkpoint or the machine.
    """
    with importing("vllm", "vllm"):
        from vllm import EngineArgs, LLMEngine

    # vLLM collects garbage five times while it loads; frozen objects are left out of that.
    gc.freeze()
    arguments = EngineArgs(**engine_arguments(checkpoint, options, processor))
    try:
        return LLMEngine.from_engine_args(arguments)
    except Exception as error:
        raise BackendError(
            f"vLLM cannot start {checkpoint.path}: {type(error).__name__}: {error}"
        ) from error


def engine_arguments(checkpoint: Checkpoint, options: VLLMConfig, processor: Any) -> dict[str, Any]:
    """Return the arguments that vLLM gets, by the field names of its `EngineArgs`."""
    on_cpu = _on_cpu()
    max_tokens = _context_length(checkpoint, options)
    ours = {
        "model": str(checkpoint.path),
        "dtype": options.dtype or ("float32" if on_cpu else "auto"),
        "quantization": options.quantization,
        "max_model_len": max_tokens,
        "max_num_seqs": options.max_num_seqs,
        # A prompt that fits the context also fits one step and the encoder's cache.
        "max_num_batched_tokens": max(max_tokens, options.max_num_seqs),
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "tensor_parallel_size": options.tensor_parallel_size,
        "distributed_executor_backend": options.executor,
        "enable_prefix_caching": True,
        # Prefixes are shared in whole blocks; on a CPU vLLM's default block has 128 tokens.
        "block_size": _CPU_BLOCK if on_cpu else None,
        "mm_processor_cache_gb": options.media_cache_gib,
        "limit_mm_per_prompt": {
            "image": options.images_per_prompt,
            "video": options.videos_per_prompt,
        },
        "mm_processor_kwargs": chat.media_options(processor),
        "mm_device_do_normalize": _normalizes_alike(processor),
        "enable_lora": checkpoint.adapter is not None,
        "max_lora_rank": lora.reserved_rank(checkpoint),
        "enforce_eager": on_cpu,
        "skip_mm_profiling": on_cpu,
        "disable_log_stats": False,  # the counters of `vllm_stats`
        "enable_logging_iteration_details": True,
        "enable_mm_processor_stats": True,
        "use_tqdm_on_load": False,
    }
    if options.bounded_thoughts is not None:
        ours["reasoning_config"] = _reasoning_config(options.bounded_thoughts)
    return {**ours, **options.further}


def _reasoning_config(marks: Marks) -> Any:
    """Return vLLM's settings of bounded thoughts (0.32)."""
    from vllm.config.reasoning import ReasoningConfig

    return ReasoningConfig(reasoning_start_str=marks.open, reasoning_end_str=marks.close)


def _normalizes_alike(processor: Any) -> bool:
    """Return whether vLLM may normalise pixels on the device.

    It then uses mean and standard deviation of the image processor for videos, too (vLLM 0.32), so
    both processors must have the same.
    """
    image = getattr(processor, "image_processor", None)
    video = getattr(processor, "video_processor", None)
    statistics = ("image_mean", "image_std")
    return all(getattr(image, name, None) == getattr(video, name, None) for name in statistics)


def prepare_environment(options: VLLMConfig) -> None:
    """Set vLLM's environment variables where unset: quiet logs, no usage reports, CPU limits."""
    level = os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    logging.getLogger("vllm").setLevel(level)  # holds before vLLM configures itself, on import
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_COMPUTE_NANS_IN_LOGITS", "1")  # told in the metrics of a request
    # Decoding threads run at the same time; a forked process could inherit a lock they hold.
    os.environ.setdefault("VLLM_WORKER_MULTIPROCESSING_METHOD", "spawn")
    if _on_cpu():
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(options.cpu_kv_cache_gib))
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")


def _on_cpu() -> bool:
    with importing("vllm", "vllm"):
        from vllm.platforms import current_platform
    on_cpu: bool = current_platform.is_cpu()
    return on_cpu


def _context_length(checkpoint: Checkpoint, options: VLLMConfig) -> int:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(checkpoint.path).get_text_config()
        return int(min(options.max_model_len, config.max_position_embeddings))
    except Exception as error:
        raise BackendError(
            f"{checkpoint.path / 'config.json'}: transformers cannot read it:"
            f" {type(error).__name__}: {error}"
        ) from error
