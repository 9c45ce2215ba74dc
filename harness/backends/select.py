"""Chooses the engine for a checkpoint; the engine is started only when there is work for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends.asked import (
    Asked,
    budget_marks,
    check_template,
    different_switches,
    refuse_budget,
    refuse_switches,
)
from harness.backends.base import Backend
from harness.backends.choose import choose_backend
from harness.backends.engine_config import (
    DEFAULT_FRAME_GRID,
    LOCAL,
    EngineConfig,
    given_settings,
    numeric_settings,
    refuse_unknown,
)
from harness.errors import UsageError
from harness.models.checkpoint import resolve
from harness.thoughts import Marks

if TYPE_CHECKING:
    from harness.backends.vllm_engine import VLLMConfig


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
    folder: Path | None = None
    """Folder of the checkpoint; None where a server has it, or there is none."""
    missing: str = ""
    """Why nothing can be started here; such an engine is for looking only."""
    check: Callable[[], None] = lambda: None
    """Tries what can be tried without starting it; raises `UsageError` or `BackendError`."""
    servers: Mapping[str, ResolvedEngine] = field(default_factory=dict)
    """Where several servers answer, the engine of each by its address."""
    served: bool = False
    """Whether a server answers: it needs no start-up, and its first answers show wrong settings."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from the engine's defaults, as JSON values by name."""
    numeric: Mapping[str, Any] = field(default_factory=dict)
    """Those of them that can change an answer; a run directory holds answers of one such set."""


def resolve_engine(
    spec: str, config: EngineConfig, asked: Sequence[Asked] = (), *, start: bool = True
) -> ResolvedEngine:
    """Find a checkpoint and choose the engine for it.

    Args:
        spec: The checkpoint, or the name of a served model.
        config: Which engine, and its settings.
        asked: What the protocols ask of the chat template and the engine.
        start: False: the engine is not going to be started, and need not be installed.

    Raises:
        UsageError: The backend is not installed, does not know a setting, or settings contradict
            each other.
        CheckpointError: The checkpoint is not found or incomplete.
    """
    try:
        backend = choose_backend(config)
    except UsageError as error:
        _check_folder(spec, config)
        if start or config.base_url is not None or config.backend not in ("auto", *LOCAL):
            raise
        return _resolve_uninstalled(spec, config, asked, str(error))
    refuse_unknown(config, backend)
    match backend:
        case "fake":
            return _resolve_fake(spec, asked)
        case "openai":
            return _resolve_servers(spec, config, asked)
        case "vllm":
            return _resolve_vllm(spec, config, asked)
        case _:
            return _resolve_transformers(spec, config, asked)


def _resolve_uninstalled(
    spec: str, config: EngineConfig, asked: Sequence[Asked], reason: str
) -> ResolvedEngine:
    """Return the engine that would be chosen if it were installed."""

    def build() -> Backend:
        raise UsageError(reason)

    backend = LOCAL[0] if config.backend == "auto" else config.backend
    refuse_unknown(config, backend)
    checkpoint, settings = resolve(spec), given_settings(config)
    check_template(asked, checkpoint)
    if backend == "vllm":
        budget_marks(asked, checkpoint)
    else:
        refuse_budget(asked, backend)
    return ResolvedEngine(
        backend=backend,
        checkpoint=checkpoint.name,
        identity=checkpoint.identity,
        patch_multiple=checkpoint.patch_multiple,
        build=build,
        folder=checkpoint.path,
        missing=reason,
        settings=settings,
        numeric=numeric_settings(settings),
    )


def _resolve_fake(spec: str, asked: Sequence[Asked]) -> ResolvedEngine:
    from harness.backends.fake import FakeBackend, first_option

    refuse_switches(asked, "fake")
    refuse_budget(asked, "fake")
    return ResolvedEngine(
        backend="fake",
        checkpoint=spec,
        identity={"name": spec, "kind": "fake"},
        patch_multiple=28,
        build=lambda: FakeBackend(first_option),
    )


def _resolve_served(spec: str, config: EngineConfig, asked: Sequence[Asked]) -> ResolvedEngine:
    from harness.backends.extra_body import check_extra_body
    from harness.backends.openai import OpenAIBackend, ServerConfig
    from harness.backends.served_thoughts import check_served_switches
    from harness.models.served_grid import find_frame_grid
    from harness.models.server import served

    check_extra_body(config.extra_body, video_as_images=config.video_as_images)
    assert config.base_url is not None
    url = config.base_url
    model = served(url, spec)
    if config.video_as_images:
        refuse_switches(asked, "openai (with --video-as-images)")
        refuse_budget(asked, "openai (with --video-as-images)")
    for given in different_switches(asked):
        check_served_switches(model, given)
    grid = config.frame_grid or find_frame_grid(model.root) or DEFAULT_FRAME_GRID
    settings = {**given_settings(config), "frame_grid": grid}
    if grid == DEFAULT_FRAME_GRID:
        del settings["frame_grid"]
    options = ServerConfig(
        concurrency=config.concurrency or ServerConfig().concurrency,
        extra_body=config.extra_body,
        video_as_images=config.video_as_images,
    )
    return ResolvedEngine(
        backend="openai",
        checkpoint=model.name,
        identity=model.identity,
        patch_multiple=grid,
        build=lambda: OpenAIBackend(model, options),
        served=True,
        settings=settings,
        numeric=numeric_settings(settings),
    )


def _resolve_servers(spec: str, config: EngineConfig, asked: Sequence[Asked]) -> ResolvedEngine:
    """Resolve one server, or several that serve the same model."""
    urls = [url.strip() for url in (config.base_url or "").split(",")]
    engines = [_resolve_served(spec, replace(config, base_url=url), asked) for url in urls]
    if len(engines) == 1:
        return engines[0]
    servers = {str(engine.identity["server"]): engine for engine in engines}
    if len(servers) < len(urls):
        raise UsageError(f"--base-url names a server twice; it has: {', '.join(servers)}")
    if len({engine.identity["root"] for engine in engines}) > 1:
        loaded = ", ".join(f"{name}: {one.identity['root']}" for name, one in servers.items())
        raise UsageError(f"--base-url: the servers have loaded different checkpoints: {loaded}")
    identity = {**engines[0].identity, "server": sorted(servers)}
    return replace(engines[0], identity=identity, servers=servers)


def _check_folder(spec: str, config: EngineConfig) -> None:
    """Raise for a folder that no engine could load, so that it is told without one, too."""
    if config.base_url is None and Path(spec).expanduser().is_dir():
        resolve(spec)


def _resolve_vllm(spec: str, config: EngineConfig, asked: Sequence[Asked]) -> ResolvedEngine:
    from harness.backends.preflight import check_engine

    settings, further = given_settings(config), {}
    if config.quantization is not None or config.engine_arg:
        from harness.backends import vllm_arguments

        vllm_arguments.check_quantization(config.quantization)
        further = vllm_arguments.parse_arguments(config.engine_arg)
        settings |= {"engine_arg": vllm_arguments.as_json(further)} if further else {}
    checkpoint = resolve(spec)
    check_template(asked, checkpoint)
    bounded = budget_marks(asked, checkpoint)

    def build() -> Backend:
        from harness.backends.vllm import VLLMBackend

        return VLLMBackend(checkpoint, _vllm_config(config, further, bounded, asked))

    return ResolvedEngine(
        backend="vllm",
        checkpoint=checkpoint.name,
        identity=checkpoint.identity,
        patch_multiple=checkpoint.patch_multiple,
        build=build,
        folder=checkpoint.path,
        check=lambda: check_engine(checkpoint, "vllm"),
        settings=settings,
        numeric=_numeric_of_vllm(settings),
    )


def _numeric_of_vllm(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = numeric_settings(settings)
    if "engine_arg" in found:
        from harness.backends.vllm_arguments import changes_answers

        found["engine_arg"] = changes_answers(found["engine_arg"])
    return {name: value for name, value in found.items() if value != {}}


def _vllm_config(
    config: EngineConfig,
    further: Mapping[str, Any],
    bounded: Marks | None,
    asked: Sequence[Asked],
) -> VLLMConfig:
    from harness.backends.vllm_engine import VLLMConfig

    given = {
        "dtype": config.dtype,
        "quantization": config.quantization,
        "tensor_parallel_size": config.tensor_parallel,
        "gpu_memory_utilization": config.gpu_memory_utilization,
        "max_num_seqs": config.max_num_seqs,
        "max_model_len": config.max_model_len,
    }
    chosen: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
    images = max((one.images for one in asked), default=0)
    return VLLMConfig(
        further=further,
        bounded_thoughts=bounded,
        images_per_prompt=max(images, VLLMConfig().images_per_prompt),
        **chosen,
    )


def _resolve_transformers(
    spec: str, config: EngineConfig, asked: Sequence[Asked]
) -> ResolvedEngine:
    from harness.backends.preflight import check_engine

    refuse_budget(asked, "transformers")
    checkpoint, settings = resolve(spec), given_settings(config)
    check_template(asked, checkpoint)

    def build() -> Backend:
        from harness.backends.transformers import TransformersBackend, TransformersConfig

        return TransformersBackend(checkpoint, TransformersConfig(dtype=config.dtype))

    return ResolvedEngine(
        backend="transformers",
        checkpoint=checkpoint.name,
        identity=checkpoint.identity,
        patch_multiple=checkpoint.patch_multiple,
        build=build,
        folder=checkpoint.path,
        check=lambda: check_engine(checkpoint, "transformers"),
        settings=settings,
        numeric=numeric_settings(settings),
    )
