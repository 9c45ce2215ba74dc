"""From ``--backend`` and a checkpoint to an engine, built only when there is work for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from harness.backends.base import Backend
from harness.errors import UsageError, missing_extra

BACKENDS = ("auto", "vllm", "transformers", "openai", "fake")

_LOCAL = ("vllm", "transformers")
"""Engines in process, the preferred one first; each is an extra of its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """What a user may choose about the engine."""

    backend: str = "auto"
    base_url: str | None = None
    """Server of an OpenAI-compatible API, up to and with ``/v1``."""
    max_model_len: int = 16384
    """Most tokens of prompt and answer together."""
    video_as_images: bool = False
    """Send frames to a server as images, for servers that know no video."""
    frame_grid: int = 28
    """Frame sides are multiples of it at a served model, whose processor is out of sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedEngine:
    """A resolved checkpoint with the engine that will run it."""

    backend: str
    checkpoint: str
    """Short display name."""
    identity: Mapping[str, Any]
    """What tells this checkpoint from any other; stored in the manifest."""
    patch_multiple: int
    """Frame sides are multiples of it."""
    build: Callable[[], Backend]
    """Start the engine; raises `BackendError` when it cannot."""


def resolve_engine(spec: str, choice: EngineChoice) -> ResolvedEngine:
    """Resolve a checkpoint and pick the engine.

    Raises:
        UsageError: A backend that is not installed, or flags that contradict each other.
        CheckpointError: A checkpoint that cannot be resolved.
    """
    backend = _backend(choice)
    match backend:
        case "fake":
            return _fake(spec)
        case "openai":
            return _served(spec, choice)
        case _:
            return _local(spec, backend, choice)


def _backend(choice: EngineChoice) -> str:
    if choice.backend == "openai" and choice.base_url is None:
        raise UsageError("--backend openai needs --base-url, e.g. http://127.0.0.1:8000/v1")
    if choice.base_url is not None:
        if choice.backend not in ("auto", "openai"):
            raise UsageError(f"--base-url goes with --backend openai, not {choice.backend}")
        return "openai"
    if choice.backend in _LOCAL and not _installed(choice.backend):
        raise missing_extra(choice.backend, choice.backend)
    if choice.backend != "auto":
        return choice.backend
    for name in _LOCAL:
        if _installed(name):
            return name
    raise UsageError(
        "no engine is installed; pip install 'videor1[vllm]' or 'videor1[transformers]',"
        " or name a server with --base-url"
    )


def _installed(backend: str) -> bool:
    return find_spec(backend) is not None and find_spec("torch") is not None


def _fake(spec: str) -> ResolvedEngine:
    from harness.backends.fake import FakeBackend, first_option

    return ResolvedEngine(
        backend="fake",
        checkpoint=spec,
        identity={"name": spec, "kind": "fake"},
        patch_multiple=28,
        build=lambda: FakeBackend(first_option),
    )


def _served(spec: str, choice: EngineChoice) -> ResolvedEngine:
    from harness.backends.openai import OpenAIBackend, ServerConfig
    from harness.models.server import served

    assert choice.base_url is not None
    url = choice.base_url
    model = served(url, spec)
    return ResolvedEngine(
        backend="openai",
        checkpoint=model.name,
        identity=model.identity,
        patch_multiple=choice.frame_grid,
        build=lambda: OpenAIBackend(model, ServerConfig(video_as_images=choice.video_as_images)),
    )


def _local(spec: str, backend: str, choice: EngineChoice) -> ResolvedEngine:
    from harness.models.checkpoint import resolve

    checkpoint = resolve(spec)

    def build() -> Backend:
        if backend == "vllm":
            from harness.backends.vllm import VLLMBackend
            from harness.backends.vllm_engine import VLLMConfig

            return VLLMBackend(checkpoint, VLLMConfig(max_model_len=choice.max_model_len))
        from harness.backends.transformers import TransformersBackend

        return TransformersBackend(checkpoint)

    return ResolvedEngine(
        backend=backend,
        checkpoint=checkpoint.name,
        identity=checkpoint.identity,
        patch_multiple=checkpoint.patch_multiple,
        build=build,
    )
