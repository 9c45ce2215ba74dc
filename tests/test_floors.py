"""What importing the packages costs, and that their names mean this checkout."""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

HEAVY = ("torch", "transformers", "vllm", "decord", "pandas")
FLOORS = ("harness", "tasks", "trainer")


def _loaded(code):
    """Return the heavy modules that a fresh interpreter has loaded after running some code."""
    report = f"{code}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])"
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


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_run_one_way(floor):
    """``trainer`` may import ``tasks`` and ``harness``, ``tasks`` may import ``harness``."""
    above = FLOORS[FLOORS.index(floor) + 1 :]
    for path in (ROOT / floor).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.partition(".")[0] not in above, f"{path} imports {name}"


@pytest.mark.parametrize("folder", ["results", "tests"])
def test_output_and_test_folders_are_no_packages(folder):
    """``results/`` and ``tests/`` hold files, not importable packages."""
    assert not (ROOT / folder / "__init__.py").exists()
