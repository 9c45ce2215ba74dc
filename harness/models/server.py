"""Finds a model on an OpenAI-compatible server, and what identifies it in a run's manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import CheckpointError
from harness.models.identity import Identity
from harness.plugins import importing

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model behind an OpenAI-compatible server; its weights and processor cannot be read."""

    spec: str
    """``model@host:port``."""
    name: str
    """Display name."""
    base_url: str
    """Address of the API, up to and with ``/v1``."""
    model: str
    """Model id in the server's own list."""
    identity: Identity


def served(base_url: str, model: str | None = None) -> ServedModel:
    """Ask a server which models it has and pick `model`, or the only one where that is None.

    Raises:
        CheckpointError: No server answers, or it does not have the model.
        UsageError: The package openai is not installed, or its import fails.
    """
    base_url = base_url.rstrip("/")
    listed = _list_models(base_url)
    model = next(iter(listed)) if model is None and len(listed) == 1 else model
    if model is None or model not in listed:
        raise CheckpointError(
            f"the server at {base_url} has no model {model!r}; it lists: {', '.join(listed)}"
        )
    host = urlsplit(base_url).netloc
    return ServedModel(
        spec=f"{model}@{host}",
        name=model,
        base_url=base_url,
        model=model,
        identity={"server": host, "model": model, "root": listed[model].get("root")},
    )


def _list_models(base_url: str) -> Mapping[str, Mapping[str, Any]]:
    """Map the ids of a server's models to what it says about them."""
    with importing("openai", "server"):
        import openai
    key = os.environ.get("OPENAI_API_KEY", "EMPTY")
    try:
        with openai.OpenAI(
            base_url=base_url, api_key=key, timeout=TIMEOUT_S, max_retries=0
        ) as client:
            models = [entry.model_dump() for entry in client.models.list()]
    # The client takes a reply of another shape as it comes and fails where it is used.
    except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"no OpenAI-compatible server answers at {base_url}/models: {error.__cause__ or error};"
            " start it, or check --base-url (it usually ends in /v1)"
        ) from error
    listed = {entry["id"]: entry for entry in models if isinstance(entry.get("id"), str)}
    if not listed:
        raise CheckpointError(
            f"{base_url}/models lists no models; check --base-url (it usually ends in /v1)"
        )
    return listed
