"""Getting a task object out of lmms-eval, and what its import must not do to the rest of a run.

The evaluator of lmms-eval patches ``ssl`` and ``filelock`` and removes every log handler; nothing
here imports it, nor its models. Tasks alone bring torch, transformers and datasets, and log, which
is switched off. Code of tasks may raise anything, even `SystemExit`: this is the boundary where
that becomes one task that cannot be asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UnavailableTaskError, UsageError
from tasks.lmms.network_check import network_client
from tasks.lmms.package import hugging_face_home, require

_GENERATE = "generate_until"
_MODEL_NAME = "videor1"
"""Under which tasks may have prompts and generation arguments for us; else their default."""


def load_task(name: str, include_path: Path | None) -> Any:
    """Construct a task, which loads its data set.

    Raises:
        UsageError: lmms-eval is not installed, or the name is unknown or that of a group.
        UnavailableTaskError: The task cannot be asked here; the message says why.
    """
    require()
    manager = _manager(include_path)
    entry = manager.task_index.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, manager.all_tasks, n=4)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UsageError(f"lmms-eval has no task {name!r}{hint} (--include-path adds a folder)")
    if entry["type"] in ("group", "tag"):
        members = ",".join(f"lmms:{member}" for member in _members(manager, name, entry))
        raise UsageError(f"lmms:{name} is a {entry['type']}; select its tasks: {members}")
    with task_boundary(name), hugging_face_home():
        _check(name, _config(entry))
        return manager.load_task_or_group(name, task_type="chat")[name]


@contextmanager
def task_boundary(name: str) -> Iterator[None]:
    """Turn whatever a task's own code raises into `UnavailableTaskError` with the first reason."""
    try:
        yield
    except UnavailableTaskError as error:
        raise UnavailableTaskError(f"lmms:{name} cannot be asked: {error}") from None
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise UnavailableTaskError(f"lmms:{name} cannot be asked: {_first(error)}") from error


@cache
def _manager(include_path: Path | None) -> Any:
    """Index the tasks, which takes some seconds, once per process."""
    if include_path is not None and not include_path.is_dir():
        raise UsageError(f"--include-path {include_path}: no such folder")
    import loguru

    loguru.logger.disable("lmms_eval")
    loguru.logger.disable("utils")  # what the modules beside a task's YAML are called
    from lmms_eval.tasks import TaskManager

    return TaskManager(
        include_path=include_path and str(include_path.resolve()), model_name=_MODEL_NAME
    )


def _members(manager: Any, name: str, entry: dict[str, Any]) -> list[str]:
    listed = entry["task"]
    if listed == -1:
        listed = manager._get_config(name)["task"]
    return [item if isinstance(item, str) else item["task"] for item in listed]


def _config(entry: dict[str, Any]) -> dict[str, Any]:
    from lmms_eval.utils import load_yaml_config

    config: dict[str, Any] = load_yaml_config(entry["yaml_path"], mode="full")
    return config


def _check(name: str, config: dict[str, Any]) -> None:
    """Refuse what could not be scored, before any data are loaded."""
    if "class" in config:
        raise UnavailableTaskError("it is a Python class of its own")
    kind = config.get("output_type", _GENERATE)
    if kind != _GENERATE:
        raise UnavailableTaskError(f"it is of the type {kind}, not {_GENERATE}")
    metrics = [metric.get("aggregation") for metric in config.get("metric_list") or ()]
    client = network_client(
        [config.get("process_results"), *(rule for rule in metrics if callable(rule))]
    )
    if client:
        raise UnavailableTaskError(
            f"its scores come from a network judge ({client});"
            f" run it with lmms-eval itself: lmms-eval --model videor1 --tasks {name}"
        )


def _first(error: BaseException) -> str:
    """Describe the error below the retries that lmms-eval wraps everything in."""
    attempt = getattr(error, "last_attempt", None)
    if attempt is not None and attempt.exception() is not None:
        return _first(attempt.exception())
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
