"""Makes a task of the one class in a Python file that the user names: ``--tasks ./traffic.py``.

The file is code and is run as such: it may do what its author's other programs may do. It is loaded
only where the user names it, never because a run directory or a data file does.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import cast

from harness.errors import HarnessError, UsageError
from harness.files import read_file
from harness.schema import FramePolicy, Sampling
from harness.task.api import Task
from tasks.base import Benchmark
from tasks.local.guarded import EXAMPLE, Guarded, as_usage_error
from tasks.local.names import check_name

_ATTRIBUTES: Mapping[str, type] = {
    "name": str,
    "version": int,
    "title": str,
    "homepage": str,
    "official_frames": FramePolicy,
    "official_sampling": Sampling,
}
"""What a class derived from `tasks.Benchmark` has to set, with the types."""


def load_class(file: Path) -> Task:
    """Run a Python file and return an object of its one benchmark class.

    Raises:
        UsageError: The file cannot be read or run, has no or several such classes, or the class
            lacks something; names file and line.
    """
    module = _run_file(file)
    found = [
        one
        for one in vars(module).values()
        if inspect.isclass(one) and issubclass(one, Benchmark) and one.__module__ == module.__name__
    ]
    # A base class that others in the file derive from is no benchmark by itself.
    leaves = [one for one in dict.fromkeys(found) if not any(_derives(o, one) for o in found)]
    if not leaves:
        raise UsageError(
            f"{file}: defines no benchmark: expected one class derived from tasks.Benchmark, got"
            f" {_list_classes(module)}; {EXAMPLE}"
        )
    if len(leaves) > 1:
        named = ", ".join(f"{one.__name__} (line {_line_of(one)})" for one in leaves)
        raise UsageError(
            f"{file}: expected one benchmark, got {len(leaves)}: {named}; put each into a file of"
            " its own"
        )
    return _make_task(leaves[0], file)


def _derives(one: type, base: type) -> bool:
    return one is not base and issubclass(one, base)


def _run_file(file: Path) -> ModuleType:
    source = read_file(file)
    name = f"videor1_local_{sha256(str(file.absolute()).encode()).hexdigest()[:16]}"
    spec = spec_from_loader(name, loader=None, origin=str(file))
    assert spec is not None
    module = module_from_spec(spec)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses look it up
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), vars(module))
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of the user
        raise as_usage_error(file, error) from None
    return module


def _make_task(kind: type[Benchmark], file: Path) -> Task:
    where = f"{file}, line {_line_of(kind)}: class {kind.__name__}"
    lacking = [f"{name}()" for name in sorted(kind.__abstractmethods__)]
    if kind.load is Benchmark.load and kind.make_sample is Benchmark.make_sample:
        lacking.append("load()")
    lacking += [name for name in _ATTRIBUTES if not hasattr(kind, name)]
    if lacking:
        raise UsageError(f"{where} lacks {', '.join(lacking)}; {EXAMPLE}")
    for name, expected in _ATTRIBUTES.items():
        value = getattr(kind, name)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise UsageError(f"{where}: {name}: expected {expected.__name__}, got {value!r:.80}")
    check_name(kind.name, file, f"change `name` of {kind.__name__}")
    guarded = type(kind.__name__, (Guarded, kind), {"__doc__": kind.__doc__, "own_file": file})
    try:
        made = guarded()
    except Exception as error:  # noqa: BLE001 - code of the user
        raise as_usage_error(file, error) from None
    return cast(Task, made)


def _list_classes(module: ModuleType) -> str:
    own = [
        one.__name__
        for one in vars(module).values()
        if inspect.isclass(one) and one.__module__ == module.__name__
    ]
    return f"the class{'es' if len(own) > 1 else ''} {', '.join(own)}" if own else "no class"


def _line_of(kind: type) -> int:
    """Return the line of a class in its file, 0 where it is not known."""
    try:
        return inspect.getsourcelines(kind)[1]
    except (OSError, TypeError):
        return 0
