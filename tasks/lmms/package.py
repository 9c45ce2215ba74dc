"""The installed lmms-eval: which version it is, and its four scoring modules on their own.

Importing ``lmms_eval.tasks`` the ordinary way brings torch, transformers and four seconds; scoring
needs none of that. The modules are executed from their files under names of our own, so that what
is changed in them (TempCompass's judge) changes nothing for anybody else in the process.
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
from types import ModuleType
from typing import Any

from harness.errors import UsageError

VERSION = "0.7.3"
"""Its scoring rules change between releases without a version of their own: this one is meant."""

REASONING_TAGS = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
"""The default of its ``--reasoning_tags``; its Python API strips nothing by default."""

_HINT = (
    f"install it with: pip install 'videor1[lmms]' && pip install --no-deps lmms-eval=={VERSION}"
)


def require() -> None:
    """Raise `UsageError`, in one line, unless the version that is meant is installed."""
    try:
        found = version("lmms-eval")
    except PackageNotFoundError:
        raise UsageError(f"lmms-eval is not installed; {_HINT}") from None
    if found != VERSION:
        raise UsageError(f"lmms-eval {found} is installed and scores differ by release; {_HINT}")
    missing = [name for name in ("datasets", "loguru", "yaml", "requests") if not find_spec(name)]
    if missing:
        raise UsageError(f"lmms-eval lacks {', '.join(missing)}; {_HINT}")


@cache
def scoring_module(name: str) -> Any:
    """Return ``lmms_eval/tasks/<name>/utils.py`` as a private module, its judge taken out."""
    require()
    root = _root()
    with hugging_face_home(), _light_tasks_package(root):
        module: Any = _execute(root / "tasks" / name / "utils.py", f"_videor1_lmms_{name}")
        # Imported by name when first needed, which has to happen while the light package stands.
        import_module("lmms_eval.tasks._task_utils.mcq_extract")
    if hasattr(module, "get_eval_result"):
        module.get_eval_result = _no_judge
    return module


@cache
def _reasoning() -> Any:
    """Return its text handling, which needs the standard library only."""
    return _execute(_root() / "api" / "reasoning.py", "_videor1_lmms_reasoning")


def visible(text: str) -> str:
    """Return a reply as its command line hands it to a scorer: reasoning and outer space gone."""
    stripped: str = _reasoning().strip_reasoning_tags(text, REASONING_TAGS)
    return stripped.strip()


def _no_judge(prompt: str, *rest: object) -> tuple[None, int]:
    """Answer as ``get_eval_result`` does when it cannot reach its model: rating 0."""
    return None, 0


def _root() -> Path:
    spec = find_spec("lmms_eval")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _execute(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def hugging_face_home() -> Iterator[None]:
    """Set ``HF_HOME`` to its default while modules that cannot do without are imported."""
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
