"""A model that a server holds: which one it is, and what identifies it in a run's manifest."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import CheckpointError
from harness.models.checkpoint import (
    DEFAULT_PATCH_MULTIPLE,
    Identity,
)

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model behind an OpenAI-compatible server; its weights and processor are out of sight."""

    spec: str
    name: str
    base_url: str
    model: str
    """Model id in the server's own list."""
    identity: Identity
    patch_multiple: int = DEFAULT_PATCH_MULTIPLE


def served(base_url: str, model: str | None = None) -> ServedModel:
    """Ask a server which models it has and pick `model`, or its only one."""
    base_url = base_url.rstrip("/")
    listed = {entry["id"]: entry for entry in _listed_models(base_url)}
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


def _listed_models(base_url: str) -> list[dict[str, Any]]:
    key = os.environ.get("OPENAI_API_KEY", "EMPTY")
    request = urllib.request.Request(
        f"{base_url}/models", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            models: list[dict[str, Any]] = json.load(answer)["data"]
    except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"no OpenAI-compatible server answers at {base_url}/models: {error}; start it, or check"
            " --base-url (it usually ends in /v1)"
        ) from error
    return models
