"""What importing the packages costs, and that their names mean this checkout."""

import ast
import importlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

HEAVY = ("torch", "transformers", "vllm", "ray", "decord", "pandas", "httpx2", "anyio")
FLOORS = ("harness", "tasks", "trainer")
"""The packages, lowest first."""
ROOMS = (
    ("bounds", "config_errors", "errors", "text", "thoughts"),
    ("files", "plugins", "schema"),
    ("config", "server"),
    ("data", "models", "scoring", "stats", "trackers", "video"),
    ("backends", "task"),
    ("replicas",),
    ("run",),
    ("probe",),
    ("board", "gate"),
    ("report", "rescore"),
    ("cli",),
)
"""The modules and folders of `harness`, floor by floor, lowest first."""


def _loaded(code, names=HEAVY):
    """Return which of the modules a fresh interpreter has loaded after running some code."""
    report = f"{code}\nimport sys\nprint([m for m in {names!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return ast.literal_eval(run.stdout.splitlines()[-1])


def test_importing_the_packages_loads_nothing_heavy():
    """``import harness, tasks, trainer`` loads no torch, transformers, vllm, decord or pandas."""
    assert _loaded("import harness, tasks, trainer") == []


def test_every_command_can_be_listed_without_anything_heavy():
    """The help text loads nothing heavy."""
    assert _loaded("from harness.cli import main\nmain(['--help'])") == []


def test_the_help_of_a_command_loads_nothing_that_takes_long():
    """Its flags come from settings, whose modules load neither numpy nor a terminal library."""
    code = "from harness.cli import main\nmain(['eval', '--help'])"
    assert _loaded(code, (*HEAVY, "numpy", "rich", "pydantic", "av")) == []


def test_only_the_command_that_is_called_is_imported():
    """The list of commands imports none of them; a command none of the others but what it uses."""
    report = (
        "import sys\nfrom harness.cli import main\n"
        "from harness.cli.commands import entry_points\nmain({words!r})\n"
        "print([n for n, p in entry_points().items() if p.module in sys.modules])"
    )
    for words, imported in (["--help"], []), (["gate", "--help"], ["gate"]):
        done = subprocess.run(
            [sys.executable, "-c", report.format(words=words)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert ast.literal_eval(done.stdout.splitlines()[-1]) == imported


def test_loading_every_task_loads_nothing_heavy():
    """Benchmarks are light until their questions are read."""
    code = "from harness.task import registry as r\n[r.get(name) for name in r.installed()]"
    assert _loaded(code) == []


@pytest.mark.parametrize("name", FLOORS)
def test_package_names_belong_to_this_checkout(name):
    """Common names such as ``tasks`` resolve here and no other distribution claims them."""
    module = importlib.import_module(name)
    assert Path(module.__file__).parent == ROOT / name
    assert set(packages_distributions().get(name, ["videor1"])) == {"videor1"}


@cache
def _imports() -> dict[str, set[str]]:
    """Map each of our modules to those that it imports, anywhere in its text."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in FLOORS
        for path in (ROOT / package).rglob("*.py")
    }
    return {
        module: {
            found
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for found in _imported(node, paths)
            if found != module
        }
        for module, path in paths.items()
    }


def _imported(node: ast.AST, known: Collection[str]) -> list[str]:
    """Name those of the known modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name in known]
    if not isinstance(node, ast.ImportFrom) or node.module not in known:
        return []
    names = [f"{node.module}.{alias.name}" for alias in node.names]
    return [name if name in known else node.module for name in names]


def _room(module: str) -> str:
    """Name the folder or module below a package that a module belongs to."""
    return ".".join(module.split(".")[:2])


def _circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names on one circle of a graph, an empty list without one."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_run_one_way() -> None:
    """``trainer`` may import ``tasks`` and ``harness``, ``tasks`` may import ``harness``."""
    for module, imported in _imports().items():
        floor = FLOORS.index(module.partition(".")[0])
        for other in imported:
            assert FLOORS.index(other.partition(".")[0]) <= floor, f"{module} imports {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and those for types alone count as well."""
    assert _circle(_imports()) == []


def test_rooms_of_the_harness_import_only_rooms_below() -> None:
    """The floors are listed above; a room of the same floor may not be imported either."""
    floor_of = {f"harness.{room}": n for n, rooms in enumerate(ROOMS) for room in rooms}
    for module, imported in _imports().items():
        room = _room(module)
        if module in ("harness", "harness.__main__") or not module.startswith("harness."):
            continue  # the public API and the command line stand above all rooms
        assert room in floor_of, f"{room} has no floor: add it to ROOMS"
        for other in {_room(name) for name in imported} - {room}:
            below = other in floor_of and floor_of[other] < floor_of[room]
            assert below, f"{module} imports from {other}, which is not below {room}"


@pytest.mark.parametrize("package", FLOORS)
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    """Two folders that need each other are one folder, or hold something of a third."""
    rooms = defaultdict[str, set[str]](set)
    for module, imported in _imports().items():
        if module.startswith(f"{package}."):
            rooms[_room(module)] |= {
                _room(name) for name in imported if name.startswith(f"{package}.")
            } - {_room(module)}
    assert _circle(rooms) == []


@pytest.mark.parametrize(("package", "most"), [("harness", 8), ("trainer", 3)])
def test_few_modules_lie_beside_the_rooms(package: str, most: int) -> None:
    """A new module belongs into a folder."""
    beside = [path.name for path in (ROOT / package).glob("*.py") if path.stem[:2] != "__"]
    assert len(beside) <= most, beside


@pytest.mark.parametrize("folder", ["results", "tests"])
def test_output_and_test_folders_are_no_packages(folder):
    """``results/`` and ``tests/`` hold files, not importable packages."""
    assert not (ROOT / folder / "__init__.py").exists()
