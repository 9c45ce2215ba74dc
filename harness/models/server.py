"""Finds a model on an OpenAI-compatible server, and what identifies it in a run's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import CheckpointError
from harness.models.identity import Identity
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import Endpoint, read_endpoint
from harness.server.errors import KeyRefusedError, ServerError

LIMITS = Limits(timeout_s=10.0, max_retries=2, max_bytes=4 << 20)
_SHOWN_MODELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model behind an OpenAI-compatible server; its weights and processor cannot be read."""

    spec: str
    """``model@host:port``."""
    name: str
    """Display name."""
    base_url: str
    """Address of the API as the user gave it, up to and with ``/v1``; may hold a password."""
    model: str
    """Model id in the server's own list."""
    identity: Identity
    root: str | None = None
    """Folder or hub id of the checkpoint, where the server says it."""


def served(base_url: str, model: str | None = None, limits: Limits = LIMITS) -> ServedModel:
    """Ask a server which models it has and pick `model`, or the only one where that is None.

    Raises:
        CheckpointError: No server answers, it refuses the key, or it does not have the model.
        UsageError: The address is none, or the key is empty.
    """
    base_url = base_url.rstrip("/")
    endpoint = read_endpoint(base_url)
    listed = _list_models(endpoint, limits)
    model = next(iter(listed)) if model is None and len(listed) == 1 else model
    if model is None or model not in listed:
        raise CheckpointError(
            f"the server at {endpoint.url} has no model {model!r}; it lists:"
            f" {_name_models(list(listed))}"
        )
    named = listed[model].get("root")
    root = named if isinstance(named, str) else None
    return ServedModel(
        spec=f"{model}@{endpoint.netloc}",
        name=model,
        base_url=base_url,
        model=model,
        identity={
            "server": endpoint.netloc,
            "model": model,
            "root": root,
        },
        root=root,
    )


def _list_models(endpoint: Endpoint, limits: Limits) -> Mapping[str, Mapping[str, Any]]:
    """Map the ids of a server's models to what it says about them."""
    try:
        listed = ServerClient(endpoint, limits).list_models()
    except KeyRefusedError as error:
        raise CheckpointError(f"{endpoint.url}/models: {error}") from None
    except ServerError as error:
        raise CheckpointError(
            f"no OpenAI-compatible server answers at {endpoint.url}/models: {error};"
            " start it, or check --base-url (it usually ends in /v1)"
        ) from None
    if not listed:
        raise CheckpointError(
            f"{endpoint.url}/models lists no models; check --base-url (it usually ends in /v1)"
        )
    return listed


def _name_models(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
    return ", ".join(f"{name:.200}" for name in names[:_SHOWN_MODELS]) + more
