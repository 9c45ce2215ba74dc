"""The manifest of a run: everything that a number in it depends on."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.backends.engine_config import LOCAL
from harness.backends.select import ResolvedEngine
from harness.run.items import CHOICE, ItemChoice
from harness.run.machine import git_commit, installed_packages, list_gpus, visible_gpus
from harness.run.manifest_shape import SCHEMA_VERSION
from harness.run.plan import Plan
from harness.server.endpoint import hide_password
from harness.task.local_results import LOCAL_TASKS


def describe_run(
    plan: Plan,
    engine: ResolvedEngine,
    *,
    named: str,
    argv: Sequence[str],
    choice: ItemChoice | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Build the ``run.json`` of a run that an engine answers.

    Args:
        plan: What is asked.
        engine: What answers.
        named: The checkpoint as the user named it.
        argv: The command line.
        choice: Which questions of the benchmarks are asked; None: all.
        data: Folder of the benchmarks' folders.
    """
    local, choice = engine.backend in LOCAL, choice or ItemChoice()
    return {
        **make_manifest(
            plan,
            model=engine.checkpoint,
            checkpoint=engine.identity,
            backend=engine.backend,
            limit=choice.limit,
            argv=argv,
        ),
        CHOICE: choice.as_json,
        "named": hide_password(named),
        "data_root": None if data is None else str(data.absolute()),
        "engine": dict(engine.settings),
        "numeric": dict(engine.numeric),
        "gpus": list_gpus() if local else [],
        "visible_gpus": visible_gpus() if local else None,
        "git_commit": git_commit(),
    }


def make_manifest(
    plan: Plan,
    *,
    model: str,
    checkpoint: Mapping[str, Any],
    backend: str,
    limit: int | None,
    argv: Sequence[str],
) -> dict[str, Any]:
    """Build the fields that every ``run.json`` has, whoever generated the answers.

    `harness.run.store.identity` returns those that a resumed run must share.

    Args:
        plan: What is asked.
        model: Whose answers they are, as boards show it; the same weights may have many names.
        checkpoint: Identity of the model.
        backend: What answers.
        limit: Items per task, None: all.
        argv: The command line.
    """
    local = plan.local()
    return {
        "schema": SCHEMA_VERSION,
        **plan.identity(),
        **({LOCAL_TASKS: local} if local else {}),
        "questions": plan.questions(),
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
