"""The installed lmms-eval: check its version, and load its four scoring modules on their own.

Importing ``lmms_eval.tasks`` in the ordinary way loads torch and transformers and takes four
seconds; scoring needs neither. The modules are executed from their files under names of our own, so
that replacing TempCompass's judge changes nothing for other users of lmms-eval in the process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from harness.errors import UsageError
from harness.plugins import importing, is_installed

VERSION = "0.7.3"
"""The supported release: lmms-eval's scoring rules change between releases without notice."""

REASONING_TAGS = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
"""The default of lmms-eval's ``--reasoning_tags``; its Python API removes nothing by default."""

_NEEDED = ("datasets", "loguru", "yaml", "requests")
"""Packages that its scoring modules import."""
_GUESSING = ("longvideobench", "video_holmes")
"""Modules that draw an option at random for a response without one."""
_HINT = (
    f"install it with: pip install 'videor1[lmms]' && pip install --no-deps lmms-eval=={VERSION}"
)


def require() -> None:
    """Raise `UsageError` unless the supported version is installed with what it needs."""
    try:
        found = version("lmms-eval")
    except PackageNotFoundError:
        raise UsageError(f"lmms-eval is not installed; {_HINT}") from None
    if found != VERSION:
        raise UsageError(f"lmms-eval {found} is installed and scores differ by release; {_HINT}")
    missing = [name for name in _NEEDED if not is_installed(name)]
    if missing:
        raise UsageError(f"lmms-eval lacks {', '.join(missing)}; {_HINT}")
    if not is_installed("lmms_eval"):
        raise UsageError(
            f"lmms-eval {found} is registered but its module lmms_eval is gone; {_HINT}"
        )


@cache
def scoring_module(name: str) -> Any:
    """Return ``lmms_eval/tasks/<name>/utils.py`` as a private module without its LLM judge."""
    require()
    root = _package_folder()
    with (
        importing("lmms_eval", "lmms", "lmms-eval"),
        hugging_face_home(),
        _light_tasks_package(root),
    ):
        module: Any = _execute_file(root / "tasks" / name / "utils.py", f"_videor1_lmms_{name}")
        # The module imports this one on first use, when the light package is already gone.
        import_module("lmms_eval.tasks._task_utils.mcq_extract")
    if hasattr(module, "get_eval_result"):
        module.get_eval_result = _no_judge
    if name in _GUESSING:
        module.random = SimpleNamespace(choice=_no_guess)
    return module


@cache
def _reasoning_module() -> Any:
    """Return lmms-eval's module for reasoning tags, which needs the standard library only."""
    with importing("lmms_eval", "lmms", "lmms-eval"):
        return _execute_file(_package_folder() / "api" / "reasoning.py", "_videor1_lmms_reasoning")


def visible(text: str) -> str:
    """Return a response without reasoning and outer white space, as lmms-eval scores it."""
    stripped: str = _reasoning_module().strip_reasoning_tags(text, REASONING_TAGS)
    return stripped.strip()


def _no_judge(prompt: str, *rest: object) -> tuple[None, int]:
    """Return what ``get_eval_result`` returns if its model cannot be reached: rating 0."""
    return None, 0


def _no_guess(options: object) -> str:
    """Return no option, where the package would guess one."""
    return ""


def _package_folder() -> Path:
    spec = find_spec("lmms_eval")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _execute_file(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def hugging_face_home() -> Iterator[None]:
    """Set ``HF_HOME`` to its default during the import of modules that read it."""
    if "HF_HOME" in os.environ:
        yield
        return
    os.environ["HF_HOME"] = str(Path.home() / ".cache" / "huggingface")
    try:
        yield
    finally:
        del os.environ["HF_HOME"]


@contextmanager
def _light_tasks_package(root: Path) -> Iterator[None]:
    """Let ``lmms_eval.tasks.*`` be imported without running ``lmms_eval/tasks/__init__.py``."""
    name = "lmms_eval.tasks"
    if name in sys.modules:
        yield
        return
    light = ModuleType(name)
    light.__path__ = [str(root / "tasks")]
    sys.modules[name] = light
    try:
        yield
    finally:
        del sys.modules[name]
