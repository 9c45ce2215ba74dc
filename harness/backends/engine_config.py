"""Settings of the engines; each says which engines know it and whether it can change an answer.

Flags, TOML keys and keyword arguments follow from the fields (`harness.run.options`). A setting
that the chosen engine does not know is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from harness.bounds import between
from harness.errors import UsageError

LOCAL = ("vllm", "transformers")
"""Engines of this process, the preferred one first; each has an extra of its name."""
DEFAULT_FRAME_GRID = 28
"""Qwen2.5-VL's, in pixels: patches of 14 pixels, 2 x 2 of them merged into one token."""

_UNSET: tuple[Any, ...] = (None, False, {})
"""Values of a setting that nobody has set."""


def _setting(
    *engines: str,
    metavar: str | None = None,
    numeric: bool = False,
    default: Any = None,
) -> Any:
    """Declare a setting of some engines; `numeric`: it can change an answer."""
    about = {"engines": engines, "metavar": metavar, "numeric": numeric}
    if default == {}:
        return field(default_factory=dict, metadata=about)
    return field(default=default, metadata=about)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Which engine answers, and its settings; None leaves a setting to the engine."""

    backend: Literal["auto", "vllm", "transformers", "openai", "fake"] = "auto"
    """What answers; auto takes vllm, then transformers, whichever is installed."""
    dtype: Literal["bfloat16", "float16", "float32"] | None = _setting(*LOCAL, numeric=True)
    """Number format of the weights (default: the checkpoint's; float32 on a CPU)."""
    quantization: str | None = _setting("vllm", metavar="NAME", numeric=True)
    """Quantization of the weights by vLLM's name, such as fp8 (default: the checkpoint's)."""
    tensor_parallel: int | None = _setting("vllm", metavar="N")
    """GPUs over which the model is split (default: 1)."""
    gpu_memory_utilization: float | None = _setting("vllm", metavar="X")
    """Share of the GPU's memory that vLLM takes (default: 0.9)."""
    max_num_seqs: int | None = _setting("vllm", metavar="N")
    """Questions answered at the same time (default: 256)."""
    max_model_len: int | None = _setting("vllm", metavar="N")
    """Tokens of prompt and answer together (default: 16384, or the model's limit)."""
    engine_arg: Mapping[str, Any] = _setting("vllm", metavar="NAME=VALUE", numeric=True, default={})
    """Any other engine argument of vLLM by its name; may be given again."""
    base_url: str | None = field(default=None, metadata={"metavar": "URL[,URL...]"})
    """OpenAI-compatible server, with /v1; several of the same model share the videos."""
    concurrency: int | None = _setting("openai", metavar="N")
    """Requests that a server gets at the same time (default: 16)."""
    extra_body: Mapping[str, Any] = _setting("openai", metavar="JSON", numeric=True, default={})
    """Further fields of every request to a server, as a JSON object."""
    video_as_images: bool = _setting("openai", numeric=True, default=False)
    """Send frames as images, for a server that knows no video."""
    frame_grid: int | None = _setting("openai", metavar="N", numeric=True)
    """Pixels of which a served model's frame width and height are multiples (default: as many as
    the checkpoint has that the server names, where it can be read, else 28)."""

    def __post_init__(self) -> None:
        between(self, "tensor_parallel", 1, 1024, "each is a GPU")
        between(self, "gpu_memory_utilization", 0.01, 1, "a share of the GPU's memory")
        between(self, "max_num_seqs", 1, 1 << 16, "each holds keys and values in memory")
        between(self, "max_model_len", 1, 1 << 24, "tokens; no model takes more")
        between(self, "concurrency", 1, 4096, "each is a thread with a connection")
        between(self, "frame_grid", 1, 256, "a frame side is at least one multiple of it")


def refuse_unknown(config: EngineConfig, backend: str) -> None:
    """Raise `UsageError` for a setting that the engine `backend` does not know."""
    for one in fields(config):
        engines = one.metadata.get("engines", ())
        if engines and backend not in engines and getattr(config, one.name) not in _UNSET:
            flag = "--" + one.name.replace("_", "-")
            raise UsageError(
                f"{flag}: the engine {backend} has no such setting, {' and '.join(engines)}"
                f" {'have' if len(engines) > 1 else 'has'}; leave it out{_advice(engines, backend)}"
            )


def _advice(engines: tuple[str, ...], backend: str) -> str:
    if backend == "openai":
        return ", or start the server with it"
    if engines == ("openai",):
        return ", or name a server with --base-url"
    return f", or choose --backend {engines[0]}"


def given_settings(config: EngineConfig) -> dict[str, Any]:
    """Return the settings that are not left to the engine, by name."""
    return {
        one.name: getattr(config, one.name)
        for one in fields(config)
        if one.metadata.get("engines") and getattr(config, one.name) not in _UNSET
    }


def numeric_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some settings that can change an answer."""
    return {
        one.name: settings[one.name]
        for one in fields(EngineConfig)
        if one.metadata.get("numeric") and one.name in settings
    }
