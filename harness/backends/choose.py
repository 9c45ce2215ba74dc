"""Chooses which engine answers: the one that is named, a server's, or what is installed."""

from __future__ import annotations

from harness.backends.engine_config import LOCAL, EngineConfig
from harness.errors import UsageError, missing_extra
from harness.plugins import is_installed


def choose_backend(config: EngineConfig) -> str:
    """Return the name of the engine that answers; raises `UsageError` where there is none."""
    if config.backend == "openai" and config.base_url is None:
        raise UsageError("--backend openai needs --base-url, e.g. http://127.0.0.1:8000/v1")
    if config.base_url is not None:
        if config.backend not in ("auto", "openai"):
            raise UsageError(f"--base-url goes with --backend openai, not {config.backend}")
        return "openai"
    if config.backend in LOCAL and not _is_installed(config.backend):
        raise missing_extra(config.backend, config.backend)
    if config.backend != "auto":
        return config.backend
    for name in LOCAL:
        if _is_installed(name):
            return name
    raise UsageError(
        "no engine is installed; pip install 'videor1[vllm]' or 'videor1[transformers]',"
        " or name a server with --base-url"
    )


def _is_installed(backend: str) -> bool:
    return is_installed(backend) and is_installed("torch")
