"""Chooses the engine for a checkpoint; the engine is started only when there is work for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.backends.base import Backend
from harness.bounds import between
from harness.errors import UsageError, missing_extra
from harness.models.checkpoint import Checkpoint, resolve
from harness.plugins import is_installed

_LOCAL = ("vllm", "transformers")
"""Engines of this process, the preferred one first; each has an extra of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Which engine answers, and its settings."""

    backend: Literal["auto", "vllm", "transformers", "openai", "fake"] = "auto"
    """What answers; auto takes vllm, then transformers, whichever is installed."""
    base_url: str | None = field(default=None, metadata={"metavar": "URL"})
    """OpenAI-compatible server, with /v1."""
    max_model_len: int = field(default=16384, metadata={"metavar": "N"})
    """Tokens of prompt and answer together."""
    video_as_images: bool = False
    """Send frames as images, for a server that knows no video."""
    frame_grid: int = field(default=28, metadata={"metavar": "N"})
    """Number of pixels of which frame sides are multiples at a served model."""

    def __post_init__(self) -> None:
        between(self, "max_model_len", 1, 1 << 24, "tokens; no model takes more")
        between(self, "frame_grid", 1, 256, "a frame side is at least one multiple of it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedEngine:
    """A checkpoint that was found, and the engine that will run it."""

    backend: str
    checkpoint: str
    """Short display name."""
    identity: Mapping[str, Any]
    """Hashes that identify the checkpoint; stored in the manifest."""
    patch_multiple: int
    """What frame sides are multiples of, in pixels."""
    build: Callable[[], Backend]
    """Starts the engine; raises `BackendError` if it cannot start."""
    check: Callable[[], None] = lambda: None
    """Tries what can be tried without starting it; raises `UsageError` or `BackendError`."""


def resolve_engine(spec: str, config: EngineConfig) -> ResolvedEngine:
    """Find a checkpoint and choose the engine for it.

    Raises:
        UsageError: The backend is not installed, or settings contradict each other.
        CheckpointError: The checkpoint is not found or incomplete.
    """
    checkpoint = _resolve_folder(spec, config)
    backend = _choose_backend(config)
    match backend:
        case "fake":
            return _resolve_fake(spec)
        case "openai":
            return _resolve_served(spec, config)
        case _:
            return _resolve_local(checkpoint or resolve(spec), backend, config)


def _choose_backend(config: EngineConfig) -> str:
    if config.backend == "openai" and config.base_url is None:
        raise UsageError("--backend openai needs --base-url, e.g. http://127.0.0.1:8000/v1")
    if config.base_url is not None:
        if config.backend not in ("auto", "openai"):
            raise UsageError(f"--base-url goes with --backend openai, not {config.backend}")
        return "openai"
    if config.backend in _LOCAL and not _is_installed(config.backend):
        raise missing_extra(config.backend, config.backend)
    if config.backend != "auto":
        return config.backend
    for name in _LOCAL:
        if _is_installed(name):
            return name
    raise UsageError(
        "no engine is installed; pip install 'videor1[vllm]' or 'videor1[transformers]',"
        " or name a server with --base-url"
    )


def _is_installed(backend: str) -> bool:
    return is_installed(backend) and is_installed("torch")


def _resolve_fake(spec: str) -> ResolvedEngine:
    from harness.backends.fake import FakeBackend, first_option

    return ResolvedEngine(
        backend="fake",
        checkpoint=spec,
        identity={"name": spec, "kind": "fake"},
        patch_multiple=28,
        build=lambda: FakeBackend(first_option),
    )


def _resolve_served(spec: str, config: EngineConfig) -> ResolvedEngine:
    from harness.backends.openai import OpenAIBackend, ServerConfig
    from harness.models.server import served

    assert config.base_url is not None
    url = config.base_url
    model = served(url, spec)
    return ResolvedEngine(
        backend="openai",
        checkpoint=model.name,
        identity=model.identity,
        patch_multiple=config.frame_grid,
        build=lambda: OpenAIBackend(model, ServerConfig(video_as_images=config.video_as_images)),
    )


def _resolve_folder(spec: str, config: EngineConfig) -> Checkpoint | None:
    """Resolve a folder for a local engine; what is wrong with it is told without an engine, too."""
    local = config.base_url is None and config.backend in ("auto", *_LOCAL)
    return resolve(spec) if local and Path(spec).expanduser().is_dir() else None


def _resolve_local(checkpoint: Checkpoint, backend: str, config: EngineConfig) -> ResolvedEngine:
    from harness.backends.preflight import check_engine

    def build() -> Backend:
        if backend == "vllm":
            from harness.backends.vllm import VLLMBackend
            from harness.backends.vllm_engine import VLLMConfig

            return VLLMBackend(checkpoint, VLLMConfig(max_model_len=config.max_model_len))
        from harness.backends.transformers import TransformersBackend

        return TransformersBackend(checkpoint)

    return ResolvedEngine(
        backend=backend,
        checkpoint=checkpoint.name,
        identity=checkpoint.identity,
        patch_multiple=checkpoint.patch_multiple,
        build=build,
        check=lambda: check_engine(checkpoint, backend),
    )
