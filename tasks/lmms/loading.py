"""Load a task of lmms-eval without the side effects of lmms-eval's evaluator.

The evaluator patches ``ssl`` and ``filelock`` and removes every log handler, so neither it nor
lmms-eval's models are imported here. Tasks alone import torch, transformers and datasets, and write
log messages, which are switched off. A task's code may raise anything, even `SystemExit`;
`task_boundary` turns that into one task that is unavailable.
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
"""Tasks may have prompts and generation arguments for this model; otherwise their defaults."""


def load_task(name: str, include_path: Path | None) -> Any:
    """Construct a task and load its data set.

    Raises:
        UsageError: lmms-eval is not installed, or the name is unknown or names a group.
        UnavailableTaskError: The task cannot be run here; the message says why.
    """
    require()
    manager = _task_manager(include_path)
    entry = manager.task_index.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, manager.all_tasks, n=4)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UsageError(f"lmms-eval has no task {name!r}{hint} (--include-path adds a folder)")
    if entry["type"] in ("group", "tag"):
        members = ",".join(f"lmms:{member}" for member in _group_members(manager, name, entry))
        raise UsageError(f"lmms:{name} is a {entry['type']}; select its tasks: {members}")
    with task_boundary(name), hugging_face_home():
        _check_scorable(name, _read_config(entry))
        return manager.load_task_or_group(name, task_type="chat")[name]


@contextmanager
def task_boundary(name: str) -> Iterator[None]:
    """Turn any exception of a task's own code into `UnavailableTaskError` with its first cause."""
    try:
        yield
    except UnavailableTaskError as error:
        raise UnavailableTaskError(f"lmms:{name} cannot be run: {error}") from None
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise UnavailableTaskError(
            f"lmms:{name} cannot be run: {_describe_first_cause(error)}"
        ) from error


@cache
def _task_manager(include_path: Path | None) -> Any:
    """Index the tasks, once per process, because it takes some seconds."""
    if include_path is not None and not include_path.is_dir():
        raise UsageError(f"--include-path {include_path}: no such folder")
    import loguru

    loguru.logger.disable("lmms_eval")
    loguru.logger.disable("utils")  # the name of the module beside a task's YAML file
    from lmms_eval.tasks import TaskManager

    return TaskManager(
        include_path=include_path and str(include_path.resolve()), model_name=_MODEL_NAME
    )


def _group_members(manager: Any, name: str, entry: dict[str, Any]) -> list[str]:
    listed = entry["task"]
    if listed == -1:
        listed = manager._get_config(name)["task"]
    return [item if isinstance(item, str) else item["task"] for item in listed]


def _read_config(entry: dict[str, Any]) -> dict[str, Any]:
    from lmms_eval.utils import load_yaml_config

    config: dict[str, Any] = load_yaml_config(entry["yaml_path"], mode="full")
    return config


def _check_scorable(name: str, config: dict[str, Any]) -> None:
    """Raise `UnavailableTaskError` if the task cannot be scored, before its data are loaded."""
    if "class" in config:
        raise UnavailableTaskError("it is defined by a Python class")
    kind = config.get("output_type", _GENERATE)
    if kind != _GENERATE:
        raise UnavailableTaskError(f"it is of the type {kind}, not {_GENERATE}")
    metrics = [metric.get("aggregation") for metric in config.get("metric_list") or ()]
    client = network_client(
        [config.get("process_results"), *(rule for rule in metrics if callable(rule))]
    )
    if client:
        raise UnavailableTaskError(
            f"its scores come from a judge over the network ({client});"
            f" run it with lmms-eval itself: lmms-eval --model videor1 --tasks {name}"
        )


def _describe_first_cause(error: BaseException) -> str:
    """Return the type and text of the error inside the retries that lmms-eval adds."""
    attempt = getattr(error, "last_attempt", None)
    if attempt is not None and attempt.exception() is not None:
        return _describe_first_cause(attempt.exception())
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
